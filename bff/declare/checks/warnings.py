"""Warnings: likely mistakes in a valid configuration, which a comment in the file may accept."""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from bff.declare.checks.constant_results import expressions_of
from bff.model.config import Config
from bff.model.problem import Problem
from bff.model.view import View
from bff.plan.compile import CompiledCall
from bff.plan.dependencies import Path, Reads, reads
from bff.plan.expression import Expression
from bff.plan.order import Node
from bff.plan.plan import Plan

_OWNER_NAME: Final = re.compile(
    r"(user|customer|account|owner|person|member|subject|tenant)(_?id)?|sub", re.IGNORECASE
)
_OF_THE_CALLER: Final = frozenset({"session", "relay", "exchange"})
_IDENTITY: Final = frozenset({("session", "sub"), ("session", "claims")})
_DOTTED: Final = re.compile(r"[a-z_]\w*(\.\w+)+")
_PREFIX: Final = re.compile(r"[^{]*")
Plans = Mapping[str, Mapping[str, Plan]]  # by view, then by frontend


def warnings_of(config: Config, plans: Plans) -> Iterator[Problem]:
    """The warnings of a valid configuration."""
    written = _written_services(config.views)
    for view in config.views:
        yield from _without_limit(config, view)
        planned = plans.get(view.name, {})
        nodes = {name: node for plan in planned.values() for name, node in plan.nodes.items()}
        for node in nodes.values():
            if not view.require and _signed_in(config, view):
                yield from _owners(view, planned, node.compiled)
            yield from _texts_like_expressions(view, node.compiled)
            yield from _slow(view, node)
            yield from _without_tags(node.compiled, written)
        yield from _within_items(view, planned)
        if planned and not view.function and not view.shape_with:
            yield from _unused_params(config, view, planned)
    yield from _unknown_tags(config)


def _signed_in(config: Config, view: View) -> bool:
    return any(view.access_at(config.frontends[name]) != "public" for name in view.frontends)


def _without_limit(config: Config, view: View) -> Iterator[Problem]:
    """Public views without a rate limit: each answer to an anonymous client costs requests."""
    if view.access != "public" or view.cache or config.limits.person:
        return
    if any(config.frontends[name].access for name in view.frontends):
        message = f"any client may request `{view.name}` without a rate limit"
        hint = "`limits: {person: 300/minute}` in bff.yaml, also for IP addresses; or a `cache`"
        place = view.place.of("access")
        yield Problem("public-without-limit", place, message, hint, warning=True)


def _owners(view: View, plans: Mapping[str, Plan], compiled: CompiledCall) -> Iterator[Problem]:
    """Requests whose owner is a parameter of the client, without an authorization check.

    This is broken object level authorization (OWASP API1). There is no warning if:
    1. the service gets the credentials of the caller, and can check;
    2. the request contains a value of the session as well, such as `session.sub`;
    3. the `when` of the call, or any `refuse`, reads the identity of the user;
    4. a `refuse` reads the parameter, or a guard with the identity or credentials of the user does.
    """
    if compiled.service.credentials in _OF_THE_CALLER:
        return
    read = [
        (expression, reads(expression).all)
        for text in compiled.templates
        for expression in text.expressions
    ]
    if any(path[:1] == ("session",) for _, paths in read for path in paths):
        return
    if compiled.when and _reads_identity(reads(compiled.when)):
        return
    refusals = [reads(refusal.when) for plan in plans.values() for refusal in plan.refusals]
    if any(map(_reads_identity, refusals)):
        return
    refused = {path for read_paths in refusals for path in read_paths.all} | _guarded(plans)
    for expression, paths in read:
        for path in sorted(paths):
            if path[:1] == ("params",) and path[1:] and _OWNER_NAME.fullmatch(path[1]):
                if path in refused:
                    continue
                message = f"any signed-in user may request `{view.name}` with another's `{path[1]}`"
                hint = "`session.sub`, a `refuse` that compares the two, or `require`"
                place = expression.source.place
                yield Problem("owner-from-parameters", place, message, hint, warning=True)


def _reads_identity(found: Reads) -> bool:
    """True if a condition reads the identity of the user, not only whether one is signed in."""
    return any(path[:2] in _IDENTITY for path in found.all)


def _guarded(plans: Mapping[str, Plan]) -> set[Path]:
    """The paths read by guards whose services know the user, and so can authorize the request."""
    guards = [
        node.compiled
        for plan in plans.values()
        for node in plan.nodes.values()
        if node.compiled.call.guard and node.compiled.call.rung == "required"
    ]
    paths_read = [
        guard.reads.all
        for guard in guards
        if guard.service.credentials in _OF_THE_CALLER or _reads_identity(guard.reads)
    ]
    return {path for paths in paths_read for path in paths}


def _slow(view: View, node: Node) -> Iterator[Problem]:
    """Required calls whose timeout is not below that of the view."""
    call = node.compiled.call
    if call.rung == "required" and call.safe and node.compiled.timeout >= view.timeout:
        message = f"`{call.name}` may take the whole timeout of the view, which then fails"
        hint = "a shorter `timeout`, `optional: true` or a `fallback`"
        yield Problem("slow-required-call", call.place, message, hint, warning=True)


def _written_services(views: tuple[View, ...]) -> frozenset[str]:
    return frozenset(call.service for view in views for call in view.calls if not call.safe)


def _without_tags(compiled: CompiledCall, written: frozenset[str]) -> Iterator[Problem]:
    """Cached replies without tags, of services to which this configuration writes."""
    rule = compiled.call.cache
    if rule and not rule.tags and compiled.service.name in written:
        message = f"the cached replies of `{compiled.name}` cannot be invalidated"
        hint = 'tags: ["orders:{session.sub}"]`, and `invalidates` in the view that writes'
        yield Problem("cache-without-tags", rule.place, message, f"`{hint}", warning=True)


def _texts_like_expressions(view: View, compiled: CompiledCall) -> Iterator[Problem]:
    """Texts without braces that look like expressions, and are sent literally."""
    known = {f"params.{param.name}" for param in view.params}
    known |= {"session.sub", "session.visitor"}
    body_root = {"body"} if view.body is not None else set()
    others = {call.name for call in view.calls} - {compiled.name} | compiled.bound.keys()
    others |= view.values.keys()
    for template in compiled.templates:
        if template.expressions and template is not compiled.path:
            continue
        roots = body_root | {"session.claims"}
        roots |= set() if template is compiled.path else others  # `/shop.json` is a file name
        for text in filter(None, re.split("/", template.source.text)):
            root = text.rpartition(".")[0]
            if text in known or (_DOTTED.fullmatch(text) and root in roots):
                message = f"`{text}` is sent literally: it has no braces"
                hint = f'`"{{{text}}}"`, in braces and quotes'
                yield Problem(
                    "text-like-expression", template.source.place, message, hint, warning=True
                )


def _within_items(view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Parameters and session values in a filter or projection, where names are those of items."""
    names = [("params", param.name) for param in view.params]
    names += [("session", name) for name in ("sub", "claims", "signed_in", "visitor")]
    for expression, _ in expressions_of(plans):
        for root, name in names:
            text = expression.source.text
            if f"{root}.{name}" not in text or not _is_within(expression, root, name):
                continue
            message = f"`{root}.{name}` is read from the items here: `{expression.source.shown}`"
            hint = f"`lookup(orders, 'id', {root}.{name})`, or a `query` of the call"
            yield Problem("name-within-items", expression.source.place, message, hint, warning=True)


def _is_within(expression: Expression, root: str, name: str) -> bool:
    if not re.search(rf"(?<![\w.\"]){root}\.{name}\b", expression.source.text):
        return False  # `order.params.id` is a path of its own
    return any((root, name) in pairwise(path[1:]) for path in reads(expression).all)


def _unused_params(config: Config, view: View, plans: Mapping[str, Plan]) -> Iterator[Problem]:
    """Query parameters that neither the view nor a view that it refreshes reads."""
    refreshed = [
        refreshed_view for refreshed_view in config.views if refreshed_view.name in view.refresh
    ]
    used = {param.name for refreshed_view in refreshed for param in refreshed_view.params}
    for plan in plans.values():
        for path in _paths(plan):
            if path == ("params",):
                return
            used |= set(path[1:2]) if path[:1] == ("params",) else set()
    for param in view.params:
        if param.name not in used and param.where == "query":
            message = f"the parameter `{param.name}` is not used"
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
    """Tags of `invalidates` that no cache rule has."""
    rules = [view.cache for view in config.views]
    rules += [call.cache for view in config.views for call in view.calls]
    known = [_PREFIX.match(tag.text) for rule in rules if rule for tag in rule.tags]
    prefixes = {found[0] for found in known if found}
    for view in config.views:
        for tag in view.invalidates:
            found = _PREFIX.match(tag.text)
            own = found[0] if found else ""
            if not any(own.startswith(prefix) or prefix.startswith(own) for prefix in prefixes):
                message = f"no cache rule has a tag such as `{tag.shown}`"
                hint = "`tags` in the `cache` of the view or call that becomes outdated"
                yield Problem("unknown-tag", tag.place, message, hint, warning=True)
