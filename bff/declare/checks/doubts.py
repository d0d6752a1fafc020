"""What is allowed, and often not meant: each may be accepted in the file, with a reason."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from bff.declare.checks.never import expressions_of
from bff.model.config import Config
from bff.model.problem import Problem
from bff.model.view import View
from bff.plan.compile import CompiledCall
from bff.plan.dependencies import Path, Reads, reads
from bff.plan.expression import Expression
from bff.plan.order import Node
from bff.plan.plan import Plan

_OWNER: Final = re.compile(
    r"(user|customer|account|owner|person|member|subject|tenant)(_?id)?|sub", re.IGNORECASE
)
_OF_THE_CALLER: Final = frozenset({"session", "relay", "exchange"})
_WHO: Final = frozenset({("session", "sub"), ("session", "claims")})
_DOTTED: Final = re.compile(r"[a-z_]\w*(\.\w+)+")
_PREFIX: Final = re.compile(r"[^{]*")
Plans = Mapping[str, Mapping[str, Plan]]  # by view, then by frontend


def doubtful(config: Config, plans: Plans) -> Iterator[Problem]:
    """Every doubt about a configuration that can be served."""
    written = _written_services(config.views)
    for view in config.views:
        yield from _without_limit(config, view)
        drawn = plans.get(view.name, {})
        nodes = {name: node for plan in drawn.values() for name, node in plan.nodes.items()}
        for node in nodes.values():
            if not view.require and _signed_in(config, view):
                yield from _owners(view, drawn, node.compiled)
            yield from _bare(view, node.compiled)
            yield from _slow(view, node)
            yield from _without_tags(node.compiled, written)
        yield from _within_items(view, drawn)
        if drawn and not view.function and not view.shape_with:
            yield from _unused_params(config, view, drawn)
    yield from _unknown_tags(config)


def _signed_in(config: Config, view: View) -> bool:
    return any(view.access_at(config.frontends[each]) != "public" for each in view.frontends)


def _without_limit(config: Config, view: View) -> Iterator[Problem]:
    """Every answer to an anonymous client costs requests to services."""
    if view.access != "public" or view.cache or config.limits.person:
        return
    if any(config.frontends[each].access for each in view.frontends):
        message = f"any client may ask for `{view.name}` as often as it likes"
        hint = "`limits: {person: 300/minute}` in bff.yaml counts addresses too; or a `cache`"
        place = view.place.of("access")
        yield Problem("public-without-limit", place, message, hint, warning=True)


def _owners(view: View, plans: Mapping[str, Plan], compiled: CompiledCall) -> Iterator[Problem]:
    """An owner that the client names, where no token tells the service who asks."""
    if compiled.service.credentials in _OF_THE_CALLER:
        return
    read = [
        (expression, reads(expression).all)
        for text in compiled.templates
        for expression in text.expressions
    ]
    if any(path[:1] == ("session",) for _, paths in read for path in paths):
        return
    if compiled.when and _tells_who(reads(compiled.when)):
        return
    refusals = [reads(each.when) for plan in plans.values() for each in plan.refusals]
    if any(map(_tells_who, refusals)):
        return
    refused = {path for each in refusals for path in each.all} | _guarded(plans)
    for expression, paths in read:
        for path in sorted(paths):
            if path[:1] == ("params",) and path[1:] and _OWNER.fullmatch(path[1]):
                if path in refused:
                    continue
                message = f"any signed-in client may ask `{view.name}` for another's `{path[1]}`"
                hint = "`session.sub`, a `refuse` that compares the two, or `require`"
                place = expression.source.place
                yield Problem("owner-from-parameters", place, message, hint, warning=True)


def _tells_who(found: Reads) -> bool:
    """Whether a condition is about who asks, and not only about whether a user is signed in."""
    return any(path[:2] in _WHO for path in found.all)


def _guarded(plans: Mapping[str, Plan]) -> set[Path]:
    """What guards are asked with that are told who asks: their services judge it."""
    guards = [
        node.compiled
        for plan in plans.values()
        for node in plan.nodes.values()
        if node.compiled.call.guard and node.compiled.call.rung == "required"
    ]
    told = [
        each.reads.all
        for each in guards
        if each.service.credentials in _OF_THE_CALLER or _tells_who(each.reads)
    ]
    return {path for paths in told for path in paths}


def _slow(view: View, node: Node) -> Iterator[Problem]:
    """A required call that may use up all the time of the answer."""
    call = node.compiled.call
    if call.rung == "required" and call.safe and node.compiled.timeout >= view.timeout:
        message = f"`{call.name}` may take all the time of the view, which then has no answer"
        hint = "a shorter `timeout`, `optional: true` or a `fallback`"
        yield Problem("slow-required-call", call.place, message, hint, warning=True)


def _written_services(views: tuple[View, ...]) -> frozenset[str]:
    return frozenset(call.service for view in views for call in view.calls if not call.safe)


def _without_tags(compiled: CompiledCall, written: frozenset[str]) -> Iterator[Problem]:
    """A cached reply of a service to which this configuration writes."""
    rule = compiled.call.cache
    if rule and not rule.tags and compiled.service.name in written:
        message = f"nothing can invalidate what is cached of `{compiled.name}`"
        hint = 'tags: ["orders:{session.sub}"]`, and `invalidates` at the view that writes'
        yield Problem("cache-without-tags", rule.place, message, f"`{hint}", warning=True)


def _bare(view: View, compiled: CompiledCall) -> Iterator[Problem]:
    """A text that is sent as it is, and names a parameter, a call or the session."""
    known = {f"params.{param.name}" for param in view.params}
    known |= {"session.sub", "session.visitor"}
    of_body = {"body"} if view.body is not None else set()
    others = {call.name for call in view.calls} - {compiled.name} | compiled.bound.keys()
    others |= view.values.keys()
    for template in compiled.templates:
        if template.expressions and template is not compiled.path:
            continue
        roots = of_body | {"session.claims"}
        roots |= set() if template is compiled.path else others  # `/shop.json` is a file
        for text in filter(None, re.split("/", template.source.text)):
            root = text.rpartition(".")[0]
            if text in known or (_DOTTED.fullmatch(text) and root in roots):
                message = f"`{text}` is sent as it is: it stands without braces"
                hint = f'`"{{{text}}}"`, in braces and quotes'
                yield Problem(
                    "text-like-expression", template.source.place, message, hint, warning=True
                )


def _within_items(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Parameters and values of the session that are looked for in the items of a list."""
    names = [("params", param.name) for param in view.params]
    names += [("session", name) for name in ("sub", "claims", "signed_in", "visitor")]
    for expression, _ in expressions_of(plans):
        for root, name in names:
            text = expression.source.text
            if f"{root}.{name}" not in text or not _is_within(expression, root, name):
                continue
            message = f"`{root}.{name}` is a field of the items here: `{expression.source.shown}`"
            hint = f"`lookup(orders, 'id', {root}.{name})`, or a query of the call"
            yield Problem("name-within-items", expression.source.place, message, hint, warning=True)


def _is_within(expression: Expression, root: str, name: str) -> bool:
    if not re.search(rf"(?<![\w.\"]){root}\.{name}\b", expression.source.text):
        return False  # `order.params.id` is written in full
    return any((root, name) in pairwise(path[1:]) for path in reads(expression).all)


def _unused_params(config: Config, view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Parameters that are checked and then read by nothing, not even a view that is refreshed."""
    refreshed = [each for each in config.views if each.name in view.refresh]
    used = {param.name for each in refreshed for param in each.params}
    for plan in plans.values():
        for path in _paths(plan):
            if path == ("params",):
                return
            used |= set(path[1:2]) if path[:1] == ("params",) else set()
    for param in view.params:
        if param.name not in used and param.where == "query":
            message = f"nothing reads the parameter `{param.name}`"
            yield Problem("unused-parameter", param.place, message, "remove it", warning=True)


def _paths(plan: Plan) -> Iterator[tuple[str, ...]]:
    yield from plan.shape.reads.all
    for refusal in plan.refusals:
        yield from reads(refusal.when).all
    for template in (*plan.tags, *plan.invalidates):
        yield from template.reads().all
    for node in plan.nodes.values():
        yield from (node.compiled.reads | node.compiled.selects).all


def _unknown_tags(config: Config) -> Iterator[Problem]:
    """Tags that are invalidated, and under which nothing is cached."""
    rules = [view.cache for view in config.views]
    rules += [call.cache for view in config.views for call in view.calls]
    known = [_PREFIX.match(tag.text) for rule in rules if rule for tag in rule.tags]
    prefixes = {found[0] for found in known if found}
    for view in config.views:
        for tag in view.invalidates:
            found = _PREFIX.match(tag.text)
            own = found[0] if found else ""
            if not any(own.startswith(each) or each.startswith(own) for each in prefixes):
                message = f"nothing is cached under a tag such as `{tag.shown}`"
                hint = "`tags` at the `cache` of the view or call that it is about"
                yield Problem("unknown-tag", tag.place, message, hint, warning=True)
