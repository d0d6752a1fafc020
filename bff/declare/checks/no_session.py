"""Checks for values of the session in views without one: their calls could never be made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bff.errors import Unfillable
from bff.model.frontend import Frontend
from bff.model.problem import Problem
from bff.plan.dependencies import reads
from bff.plan.expression import Expression, truthy
from bff.plan.fields import FieldTemplate, is_nothing
from bff.plan.plan import Plan
from bff.plan.template import Template
from bff.plan.tree import templates_in

_ANONYMOUS: Final[Mapping[str, Any]] = {
    "sub": None,
    "claims": {},
    "signed_in": False,
    "visitor": None,
}
_VISITOR: Final = ("session", "visitor")
_KNOWN: Final = frozenset({"session", "frontend", "null"})  # names whose values are known at load


def session_problems(
    plans: Mapping[str, Plan], frontends: Mapping[str, Frontend]
) -> Iterator[Problem]:
    """Templates that need a value of the session which the view never has.

    If the view has a session at another of its frontends, an optional mark (`{session.sub?}`), or a
    `when` that reads the session, is accepted.

    Args:
        plans: of one view, by frontend.
        frontends: by name.
    """
    places = [_ViewAtFrontend(plan, frontends[name]) for name, plan in plans.items()]
    somewhere = any(at.lacks(("session", "sub")) is False for at in places)
    found: dict[tuple[Any, ...], Problem] = {}
    for at in places:
        for problem in at.problems(marks_count=somewhere):
            found.setdefault((problem.place, problem.message), problem)
    yield from found.values()


@dataclass(frozen=True, slots=True)
class _ViewAtFrontend:
    """A view at one of its frontends."""

    plan: Plan
    frontend: Frontend

    def lacks(self, path: tuple[str, ...]) -> bool:
        """True if a value of the session is always missing."""
        access = self.plan.view.access_at(self.frontend)
        if path[0] != "session":
            return False
        if (
            path[:2] == _VISITOR
        ):  # the visitor cookie is set for browsers, not for clients with bearer tokens
            ways = self.frontend.access
            return access == "public" or (access == "signed_in" and "session" not in ways)
        return access == "public" or not self.frontend.access

    def problems(self, *, marks_count: bool) -> Iterator[Problem]:
        """The problems of the view at this frontend.

        Args:
            marks_count: accept optional marks in the calls of the view.
        """
        for name in self.plan.nodes:
            if not self._is_skipped(name):
                yield from self._problems_of(name, marks_count=marks_count)
        for tag in (*self.plan.tags, *self.plan.invalidates):
            yield from self._template(tag)

    def _problems_of(self, name: str, *, marks_count: bool) -> Iterator[Problem]:
        compiled = self.plan.nodes[name].compiled
        shared = dict(compiled.service.headers).keys() - dict(compiled.call.headers).keys()
        own = [compiled.path, *compiled.tags]
        for field in compiled.fields:
            if field not in compiled.headers or field.name not in shared:
                own += templates_in(field.tree)
            else:
                yield from self._header(field.name, field.tree, compiled.service.name)
        for template in own:
            if not (marks_count and _is_marked(template)):
                yield from self._template(template)

    def _template(self, template: Template) -> Iterator[Problem]:
        for expression in template.expressions:
            if self._is_nothing(expression):
                text = expression.source.text
                message = f"`{{{text}}}` is always missing: {self._reason}"
                yield Problem("session-absent", template.source.place, message, self._remedy)

    def _header(self, name: str, template: Template, service: str) -> Iterator[Problem]:
        """A header of the service, which all views share; with a mark it is omitted in this one."""
        if _is_marked(template) or not any(map(self._is_nothing, template.expressions)):
            return
        text = template.expressions[0].source.text
        message = f"the header {name} of `{service}` is always missing: {self._reason}"
        hint = f'"{{{text}?}}" omits the header; without the mark no request is made'
        yield Problem("session-absent", template.source.place, message, hint)

    @property
    def _reason(self) -> str:
        view = self.plan.view
        if view.access == "public":
            return f"the view `{view.name}` is public, and has no session"
        if self.frontend.access:
            return f"bearer tokens of `{self.frontend.name}`, in `{view.name}`, have no visitor"
        return f"`{self.frontend.name}` has no sign-in, so the view `{view.name}` has no session"

    @property
    def _remedy(self) -> str:
        if self.plan.view.access == "public":
            return "with `access: optional` the view has the session of signed-in users"
        if self.frontend.access:
            return "`session.sub` identifies the caller"
        return "`when: session.signed_in` skips the call there"

    def _is_nothing(self, expression: Expression) -> bool:
        """True if an expression is always null, because it reads values that are always missing."""
        found = reads(expression)
        missing = [path for path in found.all if self.lacks(path)]
        if not missing or not found.roots <= _KNOWN:
            return False
        if any(path[0] == "session" and not self.lacks(path) for path in found.all):
            return False
        try:
            return is_nothing(expression.value(self._scope))
        except Unfillable:
            return True

    def _is_skipped(self, name: str) -> bool:
        """True if the `when` of a call, or of one that it needs, may skip it without a session."""
        node = self.plan.nodes[name]
        when = node.compiled.when
        if when and any(self.lacks(path) or path == ("frontend",) for path in reads(when).all):
            if not reads(when).roots <= _KNOWN:
                return True
            try:
                if not truthy(when.value(self._scope)):
                    return True
            except Unfillable:
                return True
        return any(self._is_skipped(needed) for needed in node.needs)

    @property
    def _scope(self) -> dict[str, Any]:
        return {"session": dict(_ANONYMOUS), "frontend": self.frontend.name}


def _is_marked(template: Template) -> bool:
    return isinstance(template, FieldTemplate) and template.marked
