"""Finds the values of the client's request that a call cannot send: the `errors` of a 400."""

from collections.abc import Iterable
from typing import Any, Final

from bff.errors import Unfillable
from bff.model.view import View
from bff.plan.dependencies import Paths, reads
from bff.plan.expression import Expression, Scope, names_of
from bff.plan.fields import OF_THE_REQUEST
from bff.plan.request_parts import Part, Target

_FROM_CLIENT: Final = frozenset({"params", "body", "headers"})  # root names of the client's values
_NOT_SENDABLE: Final = "cannot be sent to a service"
_NOT_COMPUTABLE: Final = "cannot be processed by the view"
Bound = dict[str, Paths]


class InputFaults:
    """Collects the faults of one request.

    Attributes:
        errors: an entry for each value: its parameter or JSON Pointer (RFC 6901), and a detail.
    """

    def __init__(self, view: View) -> None:
        self._where = {param.name: param.where for param in view.params}
        self.errors: list[dict[str, str]] = []

    def part(self, part: Part, scope: Scope, bound: Bound) -> None:
        """Add the client's values because of which a part of a request cannot be filled."""
        empty = isinstance(part, Target)  # an empty text is invalid in a path, and valid elsewhere
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
        """Add the values that an invalid expression reads, if all are of the client's request."""
        found = reads(expression, bound)
        if found.roots <= OF_THE_REQUEST:
            plain = names_of(expression.ast) or ()
            for path in sorted(found.result or found.all):
                if path[0] in _FROM_CLIENT:
                    # a computed value of the body is attributed to its top-level member
                    whole = tuple(plain) == path
                    self._add(path if whole or path[0] != "body" else path[:2], why)

    def header(self, name: str) -> None:
        """Add a header of the client that cannot be passed on."""
        self._add(("headers", name), _NOT_SENDABLE)

    def _piece(
        self, expressions: Iterable[Expression], scope: Scope, bound: Bound, *, empty: bool
    ) -> None:
        """Add the values of the invalid expressions; if all are valid alone, of all of them."""
        reasons = {expression: _why(expression, scope, empty=empty) for expression in expressions}
        if any(reasons.values()):
            for expression, why in reasons.items():
                if why:
                    self.expression(expression, bound, why)
        elif all(reads(expression, bound).roots <= OF_THE_REQUEST for expression in reasons):
            for expression in reasons:
                self.expression(expression, bound, _NOT_SENDABLE)

    def _add(self, path: tuple[str, ...], why: str) -> None:
        """Add the entry of one value, unless there is one already."""
        root, names = path[0], path[1:]
        if root == "body":
            pointer = "".join(f"/{name.replace('~', '~0').replace('/', '~1')}" for name in names)
            error = {"pointer": pointer, "detail": why}
        else:
            where = "header" if root == "headers" else self._where.get(".".join(names), "query")
            error = {"parameter": ".".join(names), "in": where, "detail": why}
        if error not in self.errors:
            self.errors.append(error)


def _why(expression: Expression, scope: Scope, *, empty: bool) -> str:
    """Why the value of an expression is invalid in any part of a request; empty if it is valid."""
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
