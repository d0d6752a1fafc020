"""Root names that are in scope for expressions, and problems of those that are not."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from bff.model.problem import Problem, did_you_mean
from bff.model.source import Place
from bff.model.view import View
from bff.plan.compile import CompiledCall
from bff.plan.dependencies import Path, Reads, reads
from bff.plan.expression import Expression
from bff.plan.foreign_functions import NAMES_ELSEWHERE, SESSION_ELSEWHERE
from bff.plan.functions import FUNCTIONS
from bff.plan.python_function import Function
from bff.plan.shape import MadeShape, Shape
from bff.plan.template import Template

RESERVED: Final = frozenset(
    {"params", "body", "session", "frontend", "locale", "headers", "services"}
)
_NULL: Final = ("null",)  # no value has this name, so `owner == null` compares with null
_LITERALS: Final = frozenset({"true", "false"})
_OF_CREDENTIALS: Final = frozenset({"authorization", "cookie"})
_SESSION: Final = frozenset({"sub", "claims", "signed_in", "visitor"})


class Names:
    """The scope of the expressions of one view."""

    def __init__(
        self, view: View, compiled: Mapping[str, CompiledCall], services: Mapping[str, Any]
    ) -> None:
        self.calls = frozenset(call.name for call in view.calls)
        self._values = frozenset(view.values)
        self._reported: set[Path] = set()  # beginnings of paths that values read in error
        self._has_body = view.body is not None
        self._body = view.body
        self._given = view.given
        self._below = {
            "params": frozenset(param.name for param in view.params),
            "session": _SESSION,
            "services": frozenset(services),
            "headers": frozenset[str]().union(*(call.forward for call in compiled.values())),
        }

    def problems_of_values(self, values: Mapping[str, Expression]) -> Iterator[Problem]:
        """Problems of names in the values; what uses these does not report them again."""
        for expression in values.values():
            for path in sorted(reads(expression).all):
                problem = self._problem(path, {}, "", expression.source.place)
                if problem:
                    self._reported.add(path[:2] if path[:1] and path[0] in RESERVED else path[:1])
                    yield problem

    def problems_of_call(self, call: CompiledCall) -> Iterator[Problem]:
        """Problems of names in a call."""
        earlier: dict[str, Any] = {}
        for name, expression in call.each:
            yield from self._problems(expression, earlier, call.name)
            earlier[name] = True
        for template in call.templates:
            for expression in template.expressions:
                yield from self._problems(expression, call.bound, call.name)
        for expression in (each for each in (call.when, call.follow) if each):
            bound = call.bound if expression is call.follow else {}
            yield from self._problems(expression, bound, call.name)
        if isinstance(call.body, Function):
            yield from self.problems_of_reads(call.body.reads, call.body.source.place, call.name)
        for source in call.call.after:
            if source.text not in self.calls or source.text == call.name:
                hint = did_you_mean(source.text, self.calls - {call.name})
                yield Problem(
                    "unknown-call",
                    source.place,
                    f"`after` names no other call: `{source.shown}`",
                    hint,
                )

    def problems_of_shape(self, shape: Shape) -> Iterator[Problem]:
        """Problems of names in a shape."""
        for _, leaf in shape.leaves:
            yield from self._problems(leaf, {})
            if "services" in reads(leaf).roots:
                message = "a shape cannot use `services`: clients learn no address of the inside"
                yield Problem("unknown-name", leaf.source.place, message)
        if isinstance(shape, MadeShape):
            yield from self.problems_of_reads(shape.reads, shape.place)

    def problems_of_refusal(self, when: Expression) -> Iterator[Problem]:
        """Problems of names in the condition of a refusal."""
        yield from self._problems(when, {})

    def problems_of_tag(self, tag: Template, *, before_calls: bool) -> Iterator[Problem]:
        """Problems of names in a cache tag.

        Args:
            before_calls: whether it is filled before any call was made.
        """
        for expression in tag.expressions:
            yield from self._problems(expression, {})
            for name in sorted(reads(expression).roots & self.calls if before_calls else ()):
                message = f"a view's own tag is filled before `{name}` is called"
                yield Problem(
                    "unknown-name", expression.source.place, message, "tag the call: `cache` on it"
                )

    def problems_of_reads(self, reads: Reads, place: Place, own: str = "") -> Iterator[Problem]:
        """Problems of names in declared reads."""
        for path in sorted(reads.all):
            problem = self._problem(path, {}, own, place)
            if problem:
                yield problem

    def _problems(
        self, expression: Expression, bound: Mapping[str, Any], own: str = ""
    ) -> Iterator[Problem]:
        for path in sorted(reads(expression).all):
            problem = self._problem(path, bound, own, expression.source.place)
            if problem:
                yield problem

    def _problem(
        self, path: Path, bound: Mapping[str, Any], own: str, place: Place
    ) -> Problem | None:
        if path[:1] in self._reported or path[:2] in self._reported:
            return None
        if not path:
            return Problem(
                "unknown-name",
                place,
                "`@` alone would be everything there is",
                "name what is needed",
            )
        root = path[0]
        if (
            root in bound
            or root in self._given
            or path == _NULL
            or (root in self.calls and root != own)
        ):
            return None
        if root in RESERVED:
            return self._problem_below(path, place)
        if root == own:
            return Problem("cycle", place, f"the call `{own}` uses its own value")
        known = self.calls | self._values | RESERVED | self._given | bound.keys()
        hint = _meant(path) or did_you_mean(root, known)
        if root in self._below["params"]:
            hint = f"a parameter is `params.{root}`"
        if root == "item":
            hint = "`item` exists only in a call with `each`"
        if root in _LITERALS:
            hint = f"a literal stands in backticks: `{root}`"
        return Problem("unknown-name", place, f"nothing is called `{root}` here", hint)

    def _problem_below(self, path: Path, place: Place) -> Problem | None:
        root, below = path[0], path[1:2]
        if root == "body" and not self._has_body:
            hint = "`body:` with a JSON Schema, in a post, put or patch"
            return Problem("unknown-name", place, "the view declares no body", hint)
        if root == "body":
            return _not_in_body(path, self._body, place)
        known = self._below.get(root)
        if known is None or not below or below[0] in known:
            return None
        hint = did_you_mean(below[0], known)
        if root == "session" and not hint.startswith("did"):
            claim = f"a claim is `session.claims.{below[0]}`"
            hint = SESSION_ELSEWHERE.get(below[0].lower(), f"{claim}; {hint}")
        elif root == "headers" and below[0] in _OF_CREDENTIALS:
            hint = "`credentials: relay` at a service passes the client's token on to it"
        elif root == "headers":
            hint = f"only what the view's calls forward: `forward: [{below[0]}]`"
        return Problem("unknown-name", place, f"there is no `{root}.{below[0]}`", hint)


def _not_in_body(path: Path, schema: Any, place: Place) -> Problem | None:
    """A field that the schema of the body does not allow: `additionalProperties: false`."""
    for at, name in enumerate(path[1:], 1):
        while isinstance(schema, Mapping) and schema.get("type") == "array":
            schema = schema.get("items")
        if not isinstance(schema, Mapping) or schema.get("type") != "object":
            return None
        fields = schema.get("properties", {})
        if name not in fields:
            if schema.get("additionalProperties") is not False or "patternProperties" in schema:
                return None
            message = (
                f"the body never has `{'.'.join(path[: at + 1])}`: its schema does not allow it"
            )
            return Problem("unknown-name", place, message, did_you_mean(name, fields))
        schema = fields[name]
    return None


def _meant(path: Path) -> str:
    """A hint for a name of another language that is not in scope."""
    root = path[0]
    if root in FUNCTIONS.FUNCTION_TABLE:
        return f"a function has parentheses: `{root}()`"
    hint = NAMES_ELSEWHERE.get(root.lower(), "")
    if not hint and len(path) == 1 and root.isupper():
        return f"a text stands in single quotes: '{root}'"
    return hint
