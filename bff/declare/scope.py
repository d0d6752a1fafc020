"""Who may share an answer, proven from what is declared.

Everything that reaches a call counts: its templates, its `when`, its items, the headers of its
service, forwarded headers, credentials, and all of that for the calls whose values it uses. The
proof is about declared inputs: what a service makes of them is its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from bff.cache.policy import Shared
from bff.errors import ConfigError
from bff.model.cache import CacheRule
from bff.model.problem import Problem
from bff.model.service import OF_THE_CALLER
from bff.plan.cache_rule import CachePolicy, PlanCaching
from bff.plan.dependencies import Path, reads
from bff.plan.expression import Expression, walk
from bff.plan.plan import Plan
from bff.plan.problems import collect_problems
from bff.plan.python_function import Function
from bff.plan.template import Template

_CLAIMS: Final = ("session", "claims")
_TOKEN: Final = "session (credentials of "  # noqa: S105 - the beginning of an input's name
_SERVICES: Final = ("services",)
_EVERYTHING: Final = frozenset({("session",), _SERVICES})
_CURSORS: Final = "session (a cursor is one person's)"
_ALWAYS_NEW: Final = frozenset({"uuid", "now"})


@dataclass(frozen=True, slots=True)
class Scope:
    """The inputs that something is made of, such as `params.limit` or `session.sub`.

    Args:
        paths: those of the session.
    """

    inputs: tuple[str, ...]
    paths: tuple[Path, ...] = ()

    @property
    def own(self) -> list[str]:
        """The inputs that tell one person from another."""
        return [name for name in self.inputs if name.startswith(("session", "headers"))]

    @property
    def shared_by(self) -> Shared:
        """Who would get the same: everyone, people with equal claims, or nobody else."""
        if not self.own:
            return "everyone"
        claims = all(name.startswith("session.claims.") for name in self.own)
        return "claims" if claims else "person"


def scope_of_call(plan: Plan, name: str) -> Scope:
    """What a call's reply depends on, through the calls whose values it uses as well."""
    found: set[Path] = set()
    others: set[str] = set()
    seen: set[str] = set()
    waiting = {name}
    while waiting:
        each = waiting.pop()
        seen.add(each)
        found |= _inputs(plan, each)
        others |= _credentials(plan, each)
        waiting |= plan.nodes[each].needs.keys() - seen
    return _scope(found, others)


def scope_of(plan: Plan) -> Scope:
    """What a whole answer depends on, its refusals included."""
    found = _named(plan.shape.reads.all)
    for refusal in plan.refusals:
        found |= _named(reads(refusal.when).all)
    if plan.view.function:
        found |= _named(plan.view.reads) if plan.view.reads is not None else _EVERYTHING
    for tag in (*plan.tags, *plan.invalidates):  # of a person's they only tell what is kept
        found |= _named(tag.reads({}).all) & {_SERVICES}
    others: set[str] = set()
    for name in plan.nodes:
        found |= _inputs(plan, name)
        others |= _credentials(plan, name) | _cursors(plan, name)
    return _scope(found, others)


def proven(plan: Plan) -> Plan:
    """The plan, with what may be kept of it and for whom.

    Raises:
        ConfigError: something is declared to be shared more widely than is proven, or cannot be
            kept at all.
    """
    calls = {name: node.compiled for name, node in plan.nodes.items()}
    kept = [name for name, call in calls.items() if call.call.cache]
    tasks = [partial(_kept_call, plan, name) for name in kept]
    *found, view = collect_problems([*tasks, partial(_kept_view, plan)])
    calls_kept = dict(zip(kept, found, strict=True))
    whole = scope_of(plan)
    caching = PlanCaching(view, calls_kept, not whole.own, frozenset(whole.inputs))
    return replace(plan, caching=caching)


def _kept_call(plan: Plan, name: str) -> CachePolicy:
    compiled = plan.nodes[name].compiled
    rule = compiled.call.cache
    assert rule is not None  # noqa: S101 - it was asked for
    if not compiled.call.safe:
        raise _wrong(rule, f"the replies of a {compiled.call.method} are not kept")
    used = {each for text in compiled.templates for part in text.expressions for each in _new(part)}
    if used:
        raise _wrong(rule, f"`{min(used)}()` makes a new request each time: none is kept")
    return _kept(rule, scope_of_call(plan, name), f"the call `{name}`", compiled.tags)


def _kept_view(plan: Plan) -> CachePolicy | None:
    rule = plan.view.cache
    if rule is None:
        return None
    used = {name for expression in _expressions(plan) for name in _new(expression)}
    if used:
        raise _wrong(rule, f"the answer uses `{min(used)}()`, a new one each time")
    return _kept(rule, scope_of(plan), f"`{plan.view.name}`", plan.tags)


def _kept(rule: CacheRule, scope: Scope, what: str, tags: tuple[Template, ...]) -> CachePolicy:
    shared: Shared = "person" if scope.own else "everyone"
    if rule.scope == "public" and scope.own:
        message = f"{what} cannot be kept for everybody: `{_shown(scope.own[0])}` reaches it"
        raise _wrong(rule, message, _remedy(scope.own))
    if rule.vary:
        _check_vary(rule, scope, what)
        shared = "claims"
    if rule.scope == "person":
        shared = "person"
    if shared == "everyone":
        return CachePolicy(rule, shared, (), tags)
    return CachePolicy(rule, shared, scope.paths, tags)


def _check_vary(rule: CacheRule, scope: Scope, what: str) -> None:
    missing = [name for name in scope.own if name not in rule.vary]
    token = next((name for name in missing if name.startswith(_TOKEN)), None)
    if token:
        message = f"{what} cannot be kept apart by `vary`: it is made with {_shown(token)}"
        raise _wrong(rule, message, "the service sees all of the person: keep it per person")
    if missing:
        message = f"{what} is kept apart by `vary`, which lacks `{_shown(missing[0])}`"
        raise _wrong(rule, message, _remedy(missing))
    for name in rule.vary:
        if name not in scope.inputs:
            raise _wrong(rule, f"`vary` names `{name}`, which does not reach {what}")


def _remedy(inputs: list[str]) -> str:
    if all(name.startswith(("session.claims.", "headers.")) for name in inputs):
        return f"`vary: [{', '.join(inputs)}]` keeps it apart by that"
    return "without `scope` and `vary` it is kept per person"


def _shown(name: str) -> str:
    if name == _CURSORS:
        return "the cursor of one person"
    return "the person's credentials" if name.startswith(_TOKEN) else name


def _wrong(rule: CacheRule, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem("cache-unsafe", rule.place, message, hint)])


def _new(expression: Expression) -> Iterator[str]:
    """The functions of an expression that give something else each time."""
    for node in walk(expression.ast):
        if node["type"] == "function_expression" and node["value"] in _ALWAYS_NEW:
            yield f"{node['value']}"


def _expressions(plan: Plan) -> Iterator[Expression]:
    yield from (leaf for _, leaf in plan.shape.leaves)
    yield from (refusal.when for refusal in plan.refusals)
    for node in plan.nodes.values():
        compiled = node.compiled
        yield from (part for text in compiled.templates for part in text.expressions)
        yield from (one for _, one in compiled.each)
        yield from (one for one in (compiled.when, compiled.follow, compiled.select) if one)


def _inputs(plan: Plan, name: str) -> set[Path]:
    call = plan.nodes[name].compiled
    found = _named(call.reads.all | call.selects.all)
    if isinstance(call.body, Function):
        found |= _named(call.body.reads.all)
    return found | {("headers", header) for header in call.forward}


def _credentials(plan: Plan, name: str) -> set[str]:
    service = plan.nodes[name].compiled.service
    personal = service.credentials in OF_THE_CALLER
    return {f"{_TOKEN}{service.name})"} if personal else set()


def _cursors(plan: Plan, name: str) -> set[str]:
    """What of who asks reaches an answer by a cursor in it: it is of no use to anybody else."""
    pages = plan.nodes[name].compiled.call.pages
    return {_CURSORS} if pages and pages.param and plan.view.access != "public" else set()


def _scope(found: set[Path], others: set[str]) -> Scope:
    inputs = {".".join(path) for path in found} | others
    own = sorted(path for path in found if path[0] == "session")
    return Scope(tuple(sorted(inputs)), tuple(own))


def _named(paths: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    for path in paths:
        if path[:1] in {("params",), ("body",), ("session",), ("headers",)}:
            found.add(path[:3] if path[:2] == _CLAIMS else path[:2])
        elif path[:1] in {("locale",), ("frontend",), _SERVICES}:
            found.add(path[:1])
        elif not path:
            found |= _EVERYTHING
    return found
