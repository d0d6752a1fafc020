"""Who may share an answer, proven from what is declared.

Everything that reaches a call counts: its templates, its `when`, its items, the headers of its
service, forwarded headers, credentials, and all of that for the calls whose values it uses.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from bff.engine.plan import Plan
from bff.engine.reads import Path
from bff.model.service import OF_THE_CALLER

_CLAIMS: Final = ("session", "claims")


@dataclass(frozen=True, slots=True)
class Scope:
    """The inputs that something is made of, such as `params.limit` or `session.sub`."""

    inputs: tuple[str, ...]

    @property
    def shared_by(self) -> Literal["everyone", "claims", "person"]:
        """Who would get the same: everyone, people with equal claims, or nobody else."""
        own = [name for name in self.inputs if name.startswith(("session", "headers"))]
        if not own:
            return "everyone"
        claims = all(name.startswith("session.claims.") for name in own)
        return "claims" if claims else "person"


def scope_of_call(plan: Plan, name: str) -> Scope:
    """What a call's reply depends on, through the calls whose values it uses as well."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = {name}
    while waiting:
        each = waiting.pop()
        seen.add(each)
        found |= _inputs(plan, each)
        waiting |= plan.nodes[each].needs.keys() - seen
    return Scope(tuple(sorted(found)))


def scope_of(plan: Plan) -> Scope:
    """What a whole answer depends on."""
    found = _named(plan.shape.reads.all)
    if plan.view.function:
        found |= _named(plan.view.reads) if plan.view.reads is not None else {"session"}
    for name in plan.nodes:
        found |= _inputs(plan, name)
    return Scope(tuple(sorted(found)))


def _inputs(plan: Plan, name: str) -> set[str]:
    call = plan.nodes[name].compiled
    found = _named(call.reads.all | call.selects.all)
    found |= {f"headers.{header}" for header in call.forward}
    if call.service.credentials in OF_THE_CALLER:
        found.add(f"session (credentials of {call.service.name})")
    return found


def _named(paths: Iterable[Path]) -> set[str]:
    found = set()
    for path in paths:
        if path[:1] in {("params",), ("body",), ("session",), ("headers",)}:
            found.add(".".join(path[:3] if path[:2] == _CLAIMS else path[:2]))
        elif path in {("locale",), ("frontend",)}:
            found.add(path[0])
    return found
