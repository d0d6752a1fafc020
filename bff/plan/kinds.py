"""Type inference for expressions, which finds parts with one result for all requests.

`params.page == '1'` is false for every request where `page` is an integer. Types are
inferred from declarations (parameters, the schema of the body, `session`, `frontend`, `locale`),
literals and functions. The reply of a service may have any type.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bff.model.problem import did_you_mean
from bff.plan.expression import Ast, Expression
from bff.plan.functions import FUNCTIONS
from bff.plan.names_at_root import NAMED

ALL: Final = frozenset({"null", "string", "number", "boolean", "array", "object"})
_SHOWN: Final = {
    "null": "null",
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}
_RETURNS: Final = {
    **dict.fromkeys(("abs", "ceil", "floor", "length", "add", "sub", "mul", "round"), "number"),
    **dict.fromkeys(("join", "to_string", "type", "replace", "base64"), "string"),
    **dict.fromkeys(("contains", "starts_with", "ends_with"), "boolean"),
    **dict.fromkeys(("keys", "values", "to_array", "split", "sort", "sort_by"), "array"),
}
_ORDERED: Final = frozenset({"number", "string"})
_OBJECT: Final = frozenset({"object"})
_BOOLEAN: Final = frozenset({"boolean"})
_OPERATORS: Final = {"eq": "==", "ne": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a value.

    Args:
        of: names of JSON types; one of them.
        fields: types of the members of an object; other members may have any type.
        values: all possible values, where they are known.
    """

    of: frozenset[str] = ALL
    fields: Mapping[str, "Kind"] = field(default_factory=dict)
    values: frozenset[Any] | None = None

    @property
    def shown(self) -> str:
        """For messages."""
        return " or ".join(_SHOWN[each] for each in sorted(self.of - {"null"})) or "null"


ANY: Final = Kind()
NULL: Final = Kind(frozenset({"null"}))


def kind_of(value: Any) -> Kind:
    """The kind of one JSON value."""
    if isinstance(value, bool):
        return Kind(frozenset({"boolean"}), values=frozenset({value}))
    if isinstance(value, int | float):
        return Kind(frozenset({"number"}), values=frozenset({value}))
    if isinstance(value, str):
        return Kind(frozenset({"string"}), values=frozenset({value}))
    name = "null" if value is None else "array" if isinstance(value, list) else "object"
    return Kind(frozenset({name}))


Never = tuple[str, str]  # the part, and what to write in its place


def nevers(expression: Expression, scope: Mapping[str, Kind]) -> Iterator[Never]:
    """Parts of an expression that have the same result whatever the values are.

    Args:
        scope: the kinds of the root names; a name that is not among them may be anything.
    """
    reader = _Reader()
    reader.read(expression.ast, Kind(frozenset({"object"}), scope))
    yield from dict.fromkeys(reader.found)


def result_kind(expression: Expression, scope: Mapping[str, Kind]) -> Kind:
    """The type of the result of an expression; see `nevers`."""
    return _Reader().read(expression.ast, Kind(frozenset({"object"}), scope))


class _Reader:
    """One walk over a syntax tree; `here` is the kind of the current value."""

    def __init__(self, root: Ast | None = None) -> None:
        self.found: list[Never] = []
        self._root = root

    def read(self, node: Ast, here: Kind) -> Kind:
        if NAMED in node and node is not self._root:
            return _Reader(node).read(node, here)  # its own parts are found where it is declared
        handler = _HANDLERS.get(node["type"])
        if handler:
            return handler(self, node, here)
        for child in node["children"]:
            if isinstance(child, dict):
                self.read(child, ANY)
        return ANY

    def field(self, node: Ast, here: Kind) -> Kind:
        name: str = node["value"]
        if "object" not in here.of:
            if here.of != NULL.of:
                self._never(f"`{name}` of {here.shown} is always null", _no_field(name, here))
            return NULL
        return _or_null(here.fields.get(name, ANY), here.of != _OBJECT)

    def chain(self, node: Ast, here: Kind) -> Kind:
        for child in node["children"]:
            here = self.read(child, here)
        return here

    def literal(self, node: Ast, _here: Kind) -> Kind:
        return kind_of(node["value"])

    def same(self, _node: Ast, here: Kind) -> Kind:
        return here

    def element(self, node: Ast, here: Kind) -> Kind:
        """An index or a slice: of a list only."""
        if "array" not in here.of and node["type"] == "index" and here.of != NULL.of:
            hint = "the first letter of a text: `slice(x, `0`, `1`)`" if "string" in here.of else ""
            self._never(f"an element of {here.shown} is always null", hint)
        return ANY if node["type"] == "index" else Kind(frozenset({"array", "null"}))

    def projection(self, node: Ast, here: Kind) -> Kind:
        selected = self.read(node["children"][0], here)
        if not selected.of & {"array", "null"}:
            self._never(f"a list is projected, and this is {selected.shown}")
        for child in node["children"][1:]:
            if isinstance(child, dict):
                self.read(child, ANY)
        return Kind(frozenset({"array", "null"}))

    def flatten(self, node: Ast, here: Kind) -> Kind:
        selected = self.read(node["children"][0], here)
        if not selected.of & {"array", "null"}:
            self._never(f"a list is flattened, and this is {selected.shown}")
        return Kind(frozenset({"array", "null"}))

    def compare(self, node: Ast, here: Kind) -> Kind:
        left, right = (self.read(child, here) for child in node["children"])
        operator = _OPERATORS.get(node["value"], node["value"])
        what = f"{left.shown} {operator} {right.shown}"
        if operator in {"==", "!="}:
            outcome = "false" if operator == "==" else "true"
            if not left.of & right.of:
                self._never(f"{what} is always {outcome}", _comparable(left, right))
            elif left.values and right.values and not left.values & right.values:
                wanted, known = left.values, right.values
                if node["children"][1]["type"] == "literal":
                    wanted, known = known, wanted
                shown = ", ".join(sorted(map(str, known)))
                value = ", ".join(sorted(map(str, wanted)))
                hint = did_you_mean(value, map(str, known))
                self._never(f"`{value}` is none of {shown}: this is always {outcome}", hint)
        elif not left.of & right.of & _ORDERED:
            self._never(f"{what} is always null", _comparable(left, right))
        return Kind(frozenset({"boolean", "null"}))

    def function(self, node: Ast, here: Kind) -> Kind:
        given = [(each, self.read(each, here)) for each in node["children"]]
        known: Mapping[str, Any] = FUNCTIONS.FUNCTION_TABLE
        signature = known[node["value"]]["signature"]
        for (_, kind), wanted in zip(given, signature, strict=False):
            allowed = {each.partition("-")[0] for each in wanted["types"]}
            if allowed and "expref" not in allowed and not kind.of & allowed:
                need = " or ".join(_SHOWN.get(each, each) for each in sorted(allowed))
                self._never(f"`{node['value']}()` wants {need}, and this is {kind.shown}")
        returned = _RETURNS.get(node["value"])
        return Kind(frozenset({returned})) if returned else ANY

    def reference(self, node: Ast, _here: Kind) -> Kind:
        self.read(node["children"][0], ANY)
        return ANY

    def either(self, node: Ast, here: Kind) -> Kind:
        left, right = (self.read(child, here) for child in node["children"])
        return Kind(left.of | right.of)

    def alternative(self, node: Ast, here: Kind) -> Kind:
        left, right = (self.read(child, here) for child in node["children"])
        return Kind((left.of - NULL.of) | right.of)  # null is not true: what follows stands for it

    def negation(self, node: Ast, here: Kind) -> Kind:
        self.read(node["children"][0], here)
        return Kind(frozenset({"boolean"}))

    def hash(self, node: Ast, here: Kind) -> Kind:
        fields = {pair["value"]: self.read(pair["children"][0], here) for pair in node["children"]}
        return _or_null(Kind(_OBJECT, fields), "null" in here.of)

    def list(self, node: Ast, here: Kind) -> Kind:
        for child in node["children"]:
            self.read(child, here)
        return _or_null(Kind(frozenset({"array"})), "null" in here.of)

    def _never(self, what: str, hint: str = "") -> None:
        self.found.append((what, hint))


def _or_null(kind: Kind, may_be_null: bool) -> Kind:  # noqa: FBT001 - it reads as one word
    """A kind, null among it where what it is read from may be null."""
    if not may_be_null or kind.of >= NULL.of:
        return kind
    return replace(kind, of=kind.of | NULL.of)


def _no_field(name: str, here: Kind) -> str:
    """What to write where a value has no fields."""
    if "array" in here.of:
        return f"`[].{name}` of all its items, `[0].{name}` of the first"
    return "`!` binds closer than a dot: `!(user.name)`" if here.of == _BOOLEAN else ""


def _comparable(left: Kind, right: Kind) -> str:
    """What to write where two values are of kinds that are never equal."""
    kinds = left.of | right.of
    if NULL.of in {left.of, right.of}:
        return "remove it: this is never null"
    if kinds & _BOOLEAN and "string" in kinds:
        return "`true` and `false` stand in backticks: open == `true`"
    if {"number", "string"} <= kinds:
        return "a number stands in backticks, `3`, a text in single quotes, 'a'"
    return "compare values of one type"


_Handler = Callable[[_Reader, Ast, Kind], Kind]
_HANDLERS: Final[Mapping[str, _Handler]] = {
    "field": _Reader.field,
    "subexpression": _Reader.chain,
    "pipe": _Reader.chain,
    "index_expression": _Reader.chain,
    "projection": _Reader.projection,
    "filter_projection": _Reader.projection,
    "flatten": _Reader.flatten,
    "literal": _Reader.literal,
    "identity": _Reader.same,
    "current": _Reader.same,
    "index": _Reader.element,
    "slice": _Reader.element,
    "comparator": _Reader.compare,
    "function_expression": _Reader.function,
    "expref": _Reader.reference,
    "or_expression": _Reader.alternative,
    "and_expression": _Reader.either,
    "not_expression": _Reader.negation,
    "multi_select_dict": _Reader.hash,
    "multi_select_list": _Reader.list,
}
