"""`bff explain`: the plan of a view as a tree of calls with their dependencies."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bff.cli.configured import checked, config_option
from bff.cli.console import console
from bff.model.problem import did_you_mean

if TYPE_CHECKING:
    from bff.declare.check import CheckedConfig
    from bff.declare.scope import Scope
    from bff.model.pages import Pages
    from bff.plan.cache_rule import CachePolicy
    from bff.plan.expression import Expression
    from bff.plan.order import Node
    from bff.plan.plan import Plan

_SHARED: Final = {
    "everyone": "everyone",
    "claims": "users with equal claims",
    "person": "one user",
}


@click.command(name="explain")
@click.argument("view")
@click.option("--frontend", help="Only for this frontend; default all that serve the view.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def command(view: str, frontend: str | None, config: Path, *, as_json: bool) -> None:
    """Print the plan of a view: each call, what it waits for and why, and the effect of a failure.

    A call is shown below the one that it waits for; if it waits for several, below the last of
    them, with the names of the others. Calls on the same level run concurrently.

    \b
    Examples:
      bff explain home
      bff explain home --frontend mobile --json
    """  # noqa: D301 - \b is click's: keep these lines as they are
    found = checked(config)
    if view not in found.plans:
        _refuse(f"there is no view `{view}`", did_you_mean(view, found.plans))
    plans = found.plans[view]
    if frontend and frontend not in plans:
        _refuse(f"`{frontend}` does not serve the view `{view}`", did_you_mean(frontend, plans))
    chosen = [plan for name, plan in plans.items() if frontend in {None, name}]
    described = [_described(plan, found) for plan in chosen]
    if as_json:
        import orjson

        click.echo(orjson.dumps(described, option=orjson.OPT_INDENT_2).decode())
        return
    for plan, about in zip(chosen, described, strict=True):
        _print(plan, about)


def _refuse(message: str, hint: str) -> None:
    click.echo(f"bff explain: {message}" + (f"\n    hint: {hint}" if hint else ""), err=True)
    sys.exit(2)


def _described(plan: "Plan", found: "CheckedConfig") -> dict[str, Any]:
    """A plan as JSON."""
    from bff.declare.scope import scope_of

    view = plan.view
    return {
        "view": view.name,
        "frontend": plan.frontend,
        "route": f"{view.method} /{plan.frontend}{view.route}",
        "file": str(view.place),
        "access": view.access_at(found.config.frontends[plan.frontend]),
        "stream": view.stream or None,
        "timeout": view.timeout,
        "max_calls": view.max_calls,
        "scope": _scope(scope_of(plan)),
        "kept": _cache_policy(plan.caching.view),
        "invalidates": [tag.source.shown for tag in plan.invalidates],
        "values": {name: _value(each) for name, each in plan.values.items()},
        "calls": {name: _call(node, plan) for name, node in plan.nodes.items()},
        "left_out": list(plan.pruned),
    }


def _value(value: "Expression") -> dict[str, Any]:
    """A named value, and the paths that it reads, directly or through other values."""
    from bff.plan.dependencies import reads

    paths = (".".join(path) for path in sorted(reads(value).all) if path != ("null",))
    return {"expression": value.source.shown, "reads": list(paths)}


def _call(node: "Node", plan: "Plan") -> dict[str, Any]:
    from bff.declare.scope import scope_of_call

    compiled = node.compiled
    call = compiled.call
    return {
        "request": f"{call.method} {call.service}:{call.path.shown}",
        "file": str(call.place),
        "waits_for": {**node.needs, **node.follows},
        "repeats": _repeats(node),
        "pages": _pages(call.pages) if call.pages else None,
        "when": call.when.shown if call.when else None,
        "may_leave_out": [
            {"what": what, "by": template.source.shown} for what, template in compiled.marks
        ],
        "on_failure": _on_failure(node),
        "timeout": min(compiled.timeout, plan.view.timeout),
        "limit": compiled.service.limit or "half the pool",
        "scope": _scope(scope_of_call(plan, node.name)),
        "kept": _cache_policy(plan.caching.calls.get(node.name)),
        "guard": call.guard,
    }


def _pages(pages: "Pages") -> str:
    """The pagination of a call, as text."""
    by = f"{pages.turn} as {pages.name}" if pages.turn == "cursor" else pages.turn
    many = f"at most {pages.gather}, one after the other" if pages.gather else ""
    return f"by {by}: {many or f'one, by ?{pages.param}='}"


def _scope(scope: "Scope") -> dict[str, Any]:
    return {"shared_by": scope.shared_by, "because_of": list(scope.inputs)}


def _cache_policy(policy: "CachePolicy | None") -> dict[str, Any] | None:
    """A cache policy as JSON."""
    if policy is None:
        return None
    rule = policy.rule
    return {
        "for": policy.shared,
        "apart_by": list(rule.vary),
        "ttl": rule.ttl if rule.ttl is not None else "upstream",
        "stale": rule.stale,
        "stale_if_error": rule.stale_if_error,
        "statuses": {str(status): seconds for status, seconds in rule.statuses.items()},
        "tags": [tag.source.shown for tag in policy.tags],
    }


def _cache_text(policy: Mapping[str, Any]) -> str:
    ttl = "by its headers" if policy["ttl"] == "upstream" else f"{policy['ttl']:g}s"
    by = f", varies by {', '.join(policy['apart_by'])}" if policy["apart_by"] else ""
    text = f"cached: {ttl}, for {_SHARED[policy['for']]}{by}"
    for name in ("stale", "stale_if_error"):
        text += f", {name} {policy[name]:g}s" if policy[name] else ""
    text += "".join(f", {status} {seconds:g}s" for status, seconds in policy["statuses"].items())
    return text + (f", tags {', '.join(policy['tags'])}" if policy["tags"] else "")


def _shared(scope: Mapping[str, Any]) -> str:
    because = ", ".join(scope["because_of"])
    return f"scope: {_SHARED[scope['shared_by']]}" + (f", from {because}" if because else "")


def _repeats(node: "Node") -> str | None:
    call = node.compiled.call
    if not call.each:
        return None
    over = ", ".join(f"{name} of {source.shown}" for name, source in call.each.over)
    how = f"in batches of {call.batch.size}" if call.batch else "one request each"
    more = "further items omitted" if call.each.truncate else "more items fail"
    return f"{over}: {how}, at most {call.each.max}, {more}"


def _on_failure(node: "Node") -> str:
    call = node.compiled.call
    rungs = {"required": "the view fails", "optional": "null", "fallback": "its fallback"}
    text = rungs[call.rung]
    if call.passes and call.rung == "required":
        text += f", with the status itself for {', '.join(map(str, sorted(call.passes)))}"
    if call.statuses:
        text += f"; a declared value for {', '.join(map(str, sorted(call.statuses)))}"
    return text


def _print(plan: "Plan", about: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.tree import Tree

    stream = ", a stream of events" if about["stream"] else ""
    tree = Tree(f"[bold]{about['route']}[/]  {about['access']}, {about['timeout']:g}s{stream}")
    tree.add(f"[dim]{_shared(about['scope'])}[/]")
    if about["kept"]:
        tree.add(f"[dim]{escape(_cache_text(about['kept']))}[/]")
    if about["invalidates"]:
        tree.add(f"[dim]{escape('invalidates: ' + ', '.join(about['invalidates']))}[/]")
    for name, value in about["values"].items():
        read = f": reads {', '.join(value['reads'])}" if value["reads"] else ""
        tree.add(f"[dim]{escape('value ' + name + ' = ' + value['expression'] + read)}[/]")
    branches: dict[str, Tree] = {}
    for name in _in_order(plan):
        node = plan.nodes[name]
        waits = [done for done in branches if done in node.waits_for]
        parent = branches[waits[-1]] if waits else tree
        branches[name] = parent.add(_line(name, about["calls"][name], waits))
        for line in _details(about["calls"][name]):
            branches[name].add(f"[dim]{line}[/]")
    if about["left_out"]:
        tree.add(f"[dim]not made here: {', '.join(about['left_out'])}[/]")
    console().print(tree)


def _in_order(plan: "Plan") -> Iterator[str]:
    """The names of the calls in topological order: dependencies first."""
    from graphlib import TopologicalSorter

    return (
        TopologicalSorter({name: sorted(node.waits_for) for name, node in plan.nodes.items()})
        .static_order()
        .__iter__()
    )


def _line(name: str, call: Mapping[str, Any], waits: list[str]) -> str:
    also = f"  [dim]also after {', '.join(waits[:-1])}[/]" if waits[:-1] else ""
    guard = "  [dim]guard[/]" if call["guard"] else ""
    return f"[bold]{name}[/]  {call['request'].replace('[', chr(92) + '[')}{guard}{also}"


def _details(call: Mapping[str, Any]) -> Iterator[str]:
    from rich.markup import escape

    for needed, reason in call["waits_for"].items():
        yield escape(f"waits for `{needed}`: {reason}")
    if call["repeats"]:
        yield escape(f"for each {call['repeats']}")
    if call["pages"]:
        yield escape(f"pages {call['pages']}")
    if call["when"]:
        yield escape(f"when {call['when']}")
    if call["may_leave_out"]:
        marks = (f"{mark['what']} by {mark['by']}" for mark in call["may_leave_out"])
        yield escape(f"optional parts: {', '.join(marks)}")
    yield escape(f"{call['timeout']:g}s; if it fails: {call['on_failure']}")
    yield escape(_shared(call["scope"]))
    if call["kept"]:
        yield escape(_cache_text(call["kept"]))
