"""Templates of single values of a request: a query value, a header, a field of a body.

Omitting such a value may change the meaning of the request: `GET /orders?user=` without its filter
returns the orders of all users. So a value that a call or the session should have given is never
omitted silently: the call fails, unless the template is marked optional, `{user.id?}`.
"""

from typing import Any, Final

from bff.errors import ConfigError, Unfillable
from bff.model.problem import Problem
from bff.model.source import Source
from bff.plan.dependencies import reads
from bff.plan.expression import Scope
from bff.plan.template import Marked, Template

# Root names whose values come from the client or the configuration, and `null`.
OF_THE_REQUEST: Final = frozenset(
    {"params", "body", "headers", "locale", "frontend", "services", "null"}
)


def is_nothing(value: Any) -> bool:
    """True if a value adds nothing to a request: null, an empty list, a list of nulls."""
    return value is None or (isinstance(value, list) and all(each is None for each in value))


class FieldTemplate(Template):
    """The template of such a value; `{user.id?}` is optional.

    Args:
        marked: whether it is optional.
    """

    __slots__ = ("_decides", "marked")

    def __init__(self, source: Source) -> None:
        """Compile `source`.

        Raises:
            ConfigError: see `parse`; or a mark stands within other text, or on what is left out
                without one.
        """
        self.marked = False
        super().__init__(source)
        alone = self.expressions if len(self.parts) == 1 else ()
        self._decides = any(reads(each).roots - OF_THE_REQUEST for each in alone)

    def _check_mark(self, marked: Marked) -> None:
        self.marked = True
        text = marked.source.text
        if len(self.parts) > 1:
            message = f"`{{{text}?}}` stands within other text, and cannot be left out of it"
            hint = f'the mark leaves out a whole value: "{{{text}?}}" alone'
        elif reads(marked).roots <= OF_THE_REQUEST:
            message = f"`{{{text}?}}` is left out without a mark where there is nothing to send"
            hint = f'only the client gives it: "{{{text}}}"'
        else:
            return
        raise ConfigError([Problem("template-mark", self.source.place, message, hint)])

    def filled(self, scope: Scope) -> Any:
        """The value to send; null omits it. The only place that decides what may be omitted.

        The same applies to each field of an object, such as a whole form.

        Raises:
            Unfillable: a call or the session should have given the value, and it is null.
        """
        value = self.value(scope)
        if not self._decides:
            return value
        if is_nothing(value):
            if self.marked:
                return None
            raise self._unsendable("it")
        if isinstance(value, dict):
            nothing = [name for name, each in value.items() if is_nothing(each)]
            if nothing and not self.marked:
                raise self._unsendable(f"its `{nothing[0]}`")
            return {name: each for name, each in value.items() if name not in nothing}
        return value

    def leaves_out(self, scope: Scope) -> bool:
        """True if the value is omitted because it is optional."""
        value = self.value(scope) if self.marked else ""
        fields = value.values() if isinstance(value, dict) else ()
        return is_nothing(value) or any(map(is_nothing, fields))

    def _unsendable(self, what: str) -> Unfillable:
        text = self.expressions[0].source.text
        return Unfillable(f"`{{{text}}}`: {what} is null or empty, and has no mark to be left out")
