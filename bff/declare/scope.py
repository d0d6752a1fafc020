"""Cache scope: which users may share a cached reply or answer, derived from its declared inputs.

The inputs of a call are those of its templates, `when` and items, the headers of its service,
forwarded headers, credentials, and the inputs of the calls whose values it uses. For example,
`get: "users:/users/{session.sub}"` depends on `session.sub`, so its reply is cached for one user.
How a service uses these inputs is not known, and has no influence.
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
_CURSORS: Final = "session (a cursor belongs to one user)"
_NONDETERMINISTIC: Final = frozenset({"uuid", "now"})


@dataclass(frozen=True, slots=True)
class Scope:
    """The inputs of a reply or answer.

    Args:
        inputs: their names, such as `params.limit` or `session.sub`, sorted.
        paths: those of the session, which become part of the cache key.
    """

    inputs: tuple[str, ...]
    paths: tuple[Path, ...] = ()

    @property
    def personal(self) -> list[str]:
        """The inputs that differ between users."""
        return [name for name in self.inputs if name.startswith(("session", "headers"))]

    @property
    def shared_by(self) -> Shared:
        """Who gets the same: everyone, users with equal claims, or one user."""
        if not self.personal:
            return "everyone"
        claims = all(name.startswith("session.claims.") for name in self.personal)
        return "claims" if claims else "person"


def scope_of_call(plan: Plan, name: str) -> Scope:
    """The inputs of the reply of a call, with those of the calls whose values it uses."""
    found: set[Path] = set()
    others: set[str] = set()
    seen: set[str] = set()
    waiting = {name}
    while waiting:
        call = waiting.pop()
        seen.add(call)
        found |= _inputs(plan, call)
        others |= _credentials(plan, call)
        waiting |= plan.nodes[call].needs.keys() - seen
    return _scope(found, others)


def scope_of(plan: Plan) -> Scope:
    """The inputs of the answer of a view, its refusals included."""
    found = _named(plan.shape.reads.all)
    for refusal in plan.refusals:
        found |= _named(reads(refusal.when).all)
    if plan.view.function:
        found |= _named(plan.view.reads) if plan.view.reads is not None else _EVERYTHING
    for tag in (
        *plan.tags,
        *plan.invalidates,
    ):  # inputs of a user in a tag do not change the answer
        found |= _named(tag.reads({}).all) & {_SERVICES}
    others: set[str] = set()
    for name in plan.nodes:
        found |= _inputs(plan, name)
        others |= _credentials(plan, name) | _cursors(plan, name)
    return _scope(found, others)


def with_cache_policies(plan: Plan) -> Plan:
    """Add the cache policies of a plan: what is cached, and who shares it.

    Raises:
        ConfigError: a rule shares entries more widely than is safe, or what it is about cannot be
            cached.
    """
    calls = {name: node.compiled for name, node in plan.nodes.items()}
    cached = [name for name, call in calls.items() if call.call.cache]
    tasks = [partial(_policy_of_call, plan, name) for name in cached]
    *found, view = collect_problems([*tasks, partial(_policy_of_view, plan)])
    policies = dict(zip(cached, found, strict=True))
    whole = scope_of(plan)
    caching = PlanCaching(view, policies, not whole.personal, frozenset(whole.inputs))
    return replace(plan, caching=caching)


def _policy_of_call(plan: Plan, name: str) -> CachePolicy:
    compiled = plan.nodes[name].compiled
    rule = compiled.call.cache
    assert rule is not None  # noqa: S101 - only calls with a rule are passed
    if not compiled.call.safe:
        raise _wrong(rule, f"the replies of a {compiled.call.method} are not cached")
    used = {
        function
        for text in compiled.templates
        for part in text.expressions
        for function in _nondeterministic(part)
    }
    if used:
        raise _wrong(rule, f"`{min(used)}()` makes each request different, so none is cached")
    return _policy(rule, scope_of_call(plan, name), f"the call `{name}`", compiled.tags)


def _policy_of_view(plan: Plan) -> CachePolicy | None:
    rule = plan.view.cache
    if rule is None:
        return None
    used = {name for expression in _expressions(plan) for name in _nondeterministic(expression)}
    if used:
        raise _wrong(rule, f"the answer uses `{min(used)}()`, which differs each time")
    return _policy(rule, scope_of(plan), f"`{plan.view.name}`", plan.tags)


def _policy(rule: CacheRule, scope: Scope, what: str, tags: tuple[Template, ...]) -> CachePolicy:
    shared: Shared = "person" if scope.personal else "everyone"
    if rule.scope == "public" and scope.personal:
        message = (
            f"{what} cannot be cached for all users: it depends on {_shown(scope.personal[0])}"
        )
        raise _wrong(rule, message, _remedy(scope.personal))
    if rule.vary:
        _check_vary(rule, scope, what)
        shared = "claims"
    if rule.scope == "person":
        shared = "person"
    if shared == "everyone":
        return CachePolicy(rule, shared, (), tags)
    return CachePolicy(rule, shared, scope.paths, tags)


def _check_vary(rule: CacheRule, scope: Scope, what: str) -> None:
    missing = [name for name in scope.personal if name not in rule.vary]
    token = next((name for name in missing if name.startswith(_TOKEN)), None)
    if token:
        message = f"{what} cannot be cached by `vary`: it is requested with {_shown(token)}"
        raise _wrong(rule, message, "the reply may depend on all data of the user: `scope: person`")
    if missing:
        message = f"{what} depends on {_shown(missing[0])}, which is not in `vary`"
        raise _wrong(rule, message, _remedy(missing))
    for name in rule.vary:
        if name not in scope.inputs:
            raise _wrong(rule, f"`vary` has `{name}`, on which {what} does not depend")


def _remedy(inputs: list[str]) -> str:
    if all(name.startswith(("session.claims.", "headers.")) for name in inputs):
        return f"`vary: [{', '.join(inputs)}]` makes the cache key depend on that"
    return "without `scope` and `vary` it is cached per user"


def _shown(name: str) -> str:
    if name == _CURSORS:
        return "the cursor of one user"
    return "the credentials of the user" if name.startswith(_TOKEN) else f"`{name}`"


def _wrong(rule: CacheRule, message: str, hint: str = "") -> ConfigError:
    return ConfigError([Problem("cache-unsafe", rule.place, message, hint)])


def _nondeterministic(expression: Expression) -> Iterator[str]:
    """The functions of an expression whose result differs each time."""
    for node in walk(expression.ast):
        if node["type"] == "function_expression" and node["value"] in _NONDETERMINISTIC:
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
    """The input of cursors in an answer: they are valid for one user only."""
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
