"""`bff explain`: the plan of a view as a tree: what waits for what, and why."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from bff.cli.configured import checked, config_option
from bff.cli.console import console
from bff.model.problem import did_you_mean

if TYPE_CHECKING:
    from bff.declare.check import Checked
    from bff.declare.scope import Scope
    from bff.model.pages import Pages
    from bff.plan.cache_rule import CachePolicy
    from bff.plan.order import Node
    from bff.plan.plan import Plan

_JSON: Final = "application/json"
_SHARED: Final = {
    "everyone": "everyone",
    "claims": "people with equal claims",
    "person": "one person",
}


@click.command(name="explain")
@click.argument("view")
@click.option("--frontend", help="Only for this frontend; else for each that has the view.")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for a program.")
def command(view: str, frontend: str | None, config: Path, *, as_json: bool) -> None:
    """Print what a view does: each call, what it waits for and why, and what its failure means.

    A call stands below the one that it waits for; below several, it stands at the last of them
    and names the others. Calls on the same level run at the same time.

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
        _refuse(f"`{view}` is not a view of `{frontend}`", did_you_mean(frontend, plans))
    chosen = [plan for name, plan in plans.items() if frontend in {None, name}]
    told = [_told(plan, found) for plan in chosen]
    if as_json:
        import orjson

        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
        return
    for plan, about in zip(chosen, told, strict=True):
        _print(plan, about)


def _refuse(message: str, hint: str) -> None:
    click.echo(f"bff explain: {message}" + (f"\n    hint: {hint}" if hint else ""), err=True)
    sys.exit(2)


def _told(plan: "Plan", found: "Checked") -> dict[str, Any]:
    """A plan in words and numbers."""
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
        "kept": _kept(plan.caching.view),
        "answers": _answers(plan),
        "invalidates": [each.source.shown for each in plan.invalidates],
        "calls": {name: _call(node, plan) for name, node in plan.nodes.items()},
        "left_out": list(plan.pruned),
    }


def _answers(plan: "Plan") -> dict[str, Any]:
    """The status, type, address and headers of the answer; a call's name for its status."""
    view = plan.view
    return {
        "status": view.answer,
        "type": view.answer_type or None,
        "location": view.location.shown if view.location else None,
        "headers": {name: source.shown for name, source in view.respond},
    }


def _answers_in_words(answers: Mapping[str, Any]) -> str:
    """What is unusual of an answer; empty for a 200 in JSON."""
    status, kind = answers["status"], answers["type"]
    parts = [str(status) if isinstance(status, int) else f"the status of `{status}`"]
    parts += [f"to {answers['location']}"] if answers["location"] else []
    parts += [f"as {kind}" if kind else "without a body"] if kind != _JSON else []
    parts += [f"{name}: {text}" for name, text in answers["headers"].items()]
    return ", ".join(parts) if parts != ["200"] else ""


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
        "may_leave_out": [{"what": what, "by": each.source.shown} for what, each in compiled.marks],
        "on_failure": _on_failure(node),
        "timeout": min(compiled.timeout, plan.view.timeout),
        "limit": compiled.service.limit or "half the pool",
        "scope": _scope(scope_of_call(plan, node.name)),
        "kept": _kept(plan.caching.calls.get(node.name)),
        "guard": call.guard,
    }


def _pages(pages: "Pages") -> str:
    """How the pages of a list are turned, in words."""
    by = f"{pages.turn} as {pages.name}" if pages.turn == "cursor" else pages.turn
    many = f"at most {pages.gather}, one after the other" if pages.gather else ""
    return f"by {by}: {many or f'one, by ?{pages.param}='}"


def _scope(scope: "Scope") -> dict[str, Any]:
    return {"shared_by": scope.shared_by, "because_of": list(scope.inputs)}


def _kept(kept: "CachePolicy | None") -> dict[str, Any] | None:
    """What is kept, for how long, and for whom."""
    if kept is None:
        return None
    rule = kept.rule
    return {
        "for": kept.shared,
        "apart_by": list(rule.vary),
        "ttl": rule.ttl if rule.ttl is not None else "upstream",
        "stale": rule.stale,
        "stale_if_error": rule.stale_if_error,
        "statuses": {str(status): seconds for status, seconds in rule.statuses.items()},
        "tags": [each.source.shown for each in kept.tags],
    }


def _kept_in_words(kept: Mapping[str, Any]) -> str:
    ttl = "as long as the reply says" if kept["ttl"] == "upstream" else f"{kept['ttl']:g}s"
    by = f", apart by {', '.join(kept['apart_by'])}" if kept["apart_by"] else ""
    text = f"kept: {ttl}, for {_SHARED[kept['for']]}{by}"
    for name in ("stale", "stale_if_error"):
        text += f", {name} {kept[name]:g}s" if kept[name] else ""
    text += "".join(f", {status} {seconds:g}s" for status, seconds in kept["statuses"].items())
    return text + (f", tags {', '.join(kept['tags'])}" if kept["tags"] else "")


def _shared(scope: Mapping[str, Any]) -> str:
    because = ", ".join(scope["because_of"])
    return f"scope: {_SHARED[scope['shared_by']]}" + (f", from {because}" if because else "")


def _repeats(node: "Node") -> str | None:
    call = node.compiled.call
    if not call.each:
        return None
    over = ", ".join(f"{name} of {source.shown}" for name, source in call.each.over)
    how = f"in batches of {call.batch.size}" if call.batch else "one request each"
    more = "the rest left out" if call.each.truncate else "more fail"
    return f"{over}: {how}, at most {call.each.max}, {more}"


def _on_failure(node: "Node") -> str:
    call = node.compiled.call
    rungs = {"required": "the view fails", "optional": "null", "fallback": "its fallback"}
    text = rungs[call.rung]
    if call.passes and call.rung == "required":
        text += f", with the status itself for {', '.join(map(str, sorted(call.passes)))}"
    if call.statuses:
        text += f"; {', '.join(map(str, sorted(call.statuses)))} is a value"
    return text


def _print(plan: "Plan", about: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.tree import Tree

    stream = ", a stream of events" if about["stream"] else ""
    tree = Tree(f"[bold]{about['route']}[/]  {about['access']}, {about['timeout']:g}s{stream}")
    tree.add(f"[dim]{_shared(about['scope'])}[/]")
    if about["kept"]:
        tree.add(f"[dim]{escape(_kept_in_words(about['kept']))}[/]")
    answers = _answers_in_words(about["answers"])
    if answers:
        tree.add(f"[dim]{escape('answers ' + answers)}[/]")
    if about["invalidates"]:
        tree.add(f"[dim]{escape('invalidates: ' + ', '.join(about['invalidates']))}[/]")
    branches: dict[str, Tree] = {}
    for name in _in_order(plan):
        node = plan.nodes[name]
        waits = [each for each in branches if each in node.waits_for]
        parent = branches[waits[-1]] if waits else tree
        branches[name] = parent.add(_line(name, about["calls"][name], waits))
        for line in _details(about["calls"][name]):
            branches[name].add(f"[dim]{line}[/]")
    if about["left_out"]:
        tree.add(f"[dim]not made here: {', '.join(about['left_out'])}[/]")
    console().print(tree)


def _in_order(plan: "Plan") -> Iterator[str]:
    """The calls so that each comes after all that it waits for."""
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

    for each, reason in call["waits_for"].items():
        yield escape(f"waits for `{each}`: {reason}")
    if call["repeats"]:
        yield escape(f"for each {call['repeats']}")
    if call["pages"]:
        yield escape(f"pages {call['pages']}")
    if call["when"]:
        yield escape(f"when {call['when']}")
    if call["may_leave_out"]:
        marks = (f"{each['what']} by {each['by']}" for each in call["may_leave_out"])
        yield escape(f"may be left out: {', '.join(marks)}")
    yield escape(f"{call['timeout']:g}s; if it fails: {call['on_failure']}")
    yield escape(_shared(call["scope"]))
    if call["kept"]:
        yield escape(_kept_in_words(call["kept"]))
