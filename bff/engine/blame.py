"""Which of the client's values keep a request from being made: what a 400 names."""

from collections.abc import Iterable
from typing import Any, Final

from bff.errors import Unfillable
from bff.model.view import View
from bff.plan.dependencies import Paths, reads
from bff.plan.expression import Expression, Scope, names_of
from bff.plan.fields import OF_THE_REQUEST
from bff.plan.request_parts import Part, Target

_GIVEN: Final = frozenset({"params", "body", "headers"})  # by the client
_UNFIT: Final = "cannot be sent on as it is"
_NOT_COMPUTABLE: Final = "is not what can be computed with"
Bound = dict[str, Paths]


class InputFaults:
    """Collects the faults of one request.

    Args:
        errors: one for each value, as for parameters that are not as declared.
    """

    def __init__(self, view: View) -> None:
        self._where = {param.name: param.where for param in view.params}
        self.errors: list[dict[str, str]] = []

    def part(self, part: Part, scope: Scope, bound: Bound) -> None:
        """A part of a request cannot be filled: name what the client gave that does not fit."""
        empty = isinstance(part, Target)  # elsewhere an empty text is sent
        found = False
        for expressions, fill in part.pieces():
            try:
                fill(scope)
            except Unfillable:
                self._piece(expressions, scope, bound, empty=empty)
                found = True
        if not found:
            self._piece(part.expressions, scope, bound, empty=empty)

    def expression(
        self, expression: Expression, bound: Bound | None = None, why: str = _NOT_COMPUTABLE
    ) -> None:
        """An expression is at fault: name what it reads, if only the client gives it."""
        found = reads(expression, bound)
        if found.roots <= OF_THE_REQUEST:
            plain = names_of(expression.ast) or ()
            for path in sorted(found.result or found.all):
                if path[0] in _GIVEN:
                    whole = tuple(plain) == path
                    self._name(path if whole or path[0] != "body" else path[:2], why)

    def header(self, name: str) -> None:
        """A header of the client cannot be passed on."""
        self._name(("headers", name), _UNFIT)

    def _piece(
        self, expressions: Iterable[Expression], scope: Scope, bound: Bound, *, empty: bool
    ) -> None:
        """One of these does not fit, or all of them together do not."""
        reasons = {each: _why(each, scope, empty=empty) for each in expressions}
        if any(reasons.values()):
            for each, why in reasons.items():
                if why:
                    self.expression(each, bound, why)
        elif all(reads(each, bound).roots <= OF_THE_REQUEST for each in reasons):
            for each in reasons:
                self.expression(each, bound, _UNFIT)

    def _name(self, path: tuple[str, ...], why: str) -> None:
        root, names = path[0], path[1:]
        if root == "body":
            pointer = "".join(f"/{each.replace('~', '~0').replace('/', '~1')}" for each in names)
            error = {"pointer": pointer, "detail": why}
        else:
            where = "header" if root == "headers" else self._where.get(".".join(names), "query")
            error = {"parameter": ".".join(names), "in": where, "detail": why}
        if error not in self.errors:
            self.errors.append(error)


def _why(expression: Expression, scope: Scope, *, empty: bool) -> str:
    """Why the value of an expression can stand nowhere; empty where it may."""
    try:
        value: Any = expression.value(scope)
    except Unfillable:
        return _NOT_COMPUTABLE
    if value is None:
        return "is missing"
    if value == "" and empty:
        return "is empty"
    if isinstance(value, list | dict):
        return f"is {'a list' if isinstance(value, list) else 'an object'}, not a single value"
    return ""
