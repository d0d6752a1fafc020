"""What of an answer's head is computed: where it leads, and headers from expressions."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from bff.errors import Unfillable
from bff.model.view import View
from bff.plan.expression import Expression, Scope
from bff.plan.problems import collect_problems
from bff.plan.template import Template, as_text, encoded

_MAX_LENGTH: Final = 4096  # characters of a header: proxies refuse heads that are much larger
_FIELD_VALUE: Final = re.compile(r"[ -~]*")  # RFC 9110, section 5.5, without obsolete octets


class LocationTemplate(Template):
    """An address: a lone expression is all of it, within text a value is percent-encoded."""

    __slots__ = ()
    _unmarked = "an answer leads somewhere: refuse the request where the value is null"

    def fill(self, scope: Scope) -> str:
        """The address.

        Raises:
            Unfillable: a value is null, empty, a list or an object.
        """
        if len(self.parts) == 1 and self.expressions:
            return self._part(self.expressions[0], scope, str)
        return "".join(
            part if isinstance(part, str) else self._part(part, scope, encoded)
            for part in self.parts
        )

    def _part(self, part: Expression, scope: Scope, encode: Callable[[str], str]) -> str:
        text = self._text(part, scope)
        if not text:
            raise Unfillable(f"`{{{part.source.text}}}` is empty, in a location")
        return encode(text)


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The computed head of an answer.

    Args:
        location: the template of its Location; None where it has none.
        headers: by lower-case name, the expression of its value.
    """

    location: LocationTemplate | None
    headers: tuple[tuple[str, Expression], ...]

    @property
    def leaves(self) -> Iterator[tuple[str, Expression]]:
        """Its expressions, each with a pointer that says where it stands."""
        for name, expression in self.headers:
            yield f"/respond/{name}", expression
        for expression in self.location.expressions if self.location else ():
            yield "/location", expression

    def headers_in(self, scope: Scope) -> tuple[dict[str, str], list[str]]:
        """The headers without those that are null, and the reasons why others are left out."""
        found: dict[str, str] = {}
        faults: list[str] = []
        for name, expression in self.headers:
            try:
                value = expression.value(scope)
                if value is not None:
                    found[name] = _field_value(value, name)
            except Unfillable as fault:
                faults.append(str(fault))
        return found, faults


def head_of(view: View) -> ResponseHead | None:
    """The computed head of a view's answers; None where nothing of it is computed.

    Raises:
        ConfigError: a text does not compile.
    """
    location, names = view.location, [name for name, _ in view.respond]
    if not location and not names:
        return None
    template = LocationTemplate(location) if location else None
    expressions = collect_problems([partial(Expression, source) for _, source in view.respond])
    return ResponseHead(template, tuple(zip(names, expressions, strict=True)))


def _field_value(value: object, name: str) -> str:
    text = as_text(value, name).strip(" ")
    if len(text) > _MAX_LENGTH:
        raise Unfillable(f"the header {name} would have more than {_MAX_LENGTH} characters")
    if not _FIELD_VALUE.fullmatch(text):
        raise Unfillable(f"the header {name} would have characters other than visible ASCII")
    return text
