"""What an expression reads: the paths from the root names whose values reach its result.

`orders[].{id: id, title: product.title}` reads `orders.id` and `orders.product.title`. From this
follow the dependencies between calls, the calls that a frontend does not need, and what an answer
depends on. The analysis is conservative: it may find more paths than are read, never fewer.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from bff.plan.expression import Ast, Expression, names_of, walk
from bff.plan.names_at_root import NAMED

Path = tuple[str, ...]
Paths = frozenset[Path]

_NOTHING: Final[Paths] = frozenset()
_ROOT: Final[Paths] = frozenset({()})
_PROJECTIONS: Final = frozenset({"projection", "value_projection", "filter_projection"})
_SELECTING: Final = frozenset(
    {"field", "subexpression", "flatten", "index_expression", "index", "slice", "identity"}
).union(_PROJECTIONS)
# Functions whose result holds the items of their arguments, and no copies of them.
_SAME_ITEMS: Final = frozenset(
    {"sort_by", "reverse", "not_null", "values", "to_array", "max_by", "min_by"}
)


@dataclass(frozen=True, slots=True)
class Reads:
    """Paths that flow into the result whole, and paths that only decide (filters, comparisons).

    Args:
        counts: of what only decides, those of which nothing within an item is read: lists whose
            length is taken, and values that are compared with a scalar or tested for being there.
    """

    result: Paths = _NOTHING
    decides: Paths = _NOTHING
    counts: Paths = _NOTHING

    @property
    def all(self) -> Paths:
        """Every path that is read."""
        return self.result | self.decides | self.counts

    @property
    def whole(self) -> Paths:
        """Every path whose whole value is read."""
        return self.result | self.decides

    @property
    def roots(self) -> frozenset[str]:
        """The root names read; an empty name stands for the whole scope."""
        return frozenset(path[0] if path else "" for path in self.all)

    def __or__(self, other: "Reads") -> "Reads":
        return Reads(
            self.result | other.result, self.decides | other.decides, self.counts | other.counts
        )


def reads(expression: Expression, bound: Mapping[str, Paths] | None = None) -> Reads:
    """The paths that `expression` reads.

    Args:
        bound: names that stand for the values of other paths (`item` for the elements of a list).
    """
    if not bound and expression.reads is not None:
        known: Reads = expression.reads
        return known
    reader = _Reader(bound or {})
    result = reader.read(expression.ast, _ROOT)
    found = Reads(result, frozenset(reader.decides), frozenset(reader.counts))
    if not bound:
        expression.reads = found  # cached: planning and checks ask for it many times
    return found


def reads_of_condition(expression: Expression) -> Reads:
    """The paths that `expression` reads where only the truth of its result matters."""
    reader = _Reader({})
    reader.test(expression.ast, _ROOT)
    return Reads(decides=frozenset(reader.decides), counts=frozenset(reader.counts))


def are_elements(ast: Ast) -> bool:
    """Whether what an expression selects are elements of the list at the path that it reads.

    They are for `orders`, `orders[:3]` and `orders[].lines[]`; `orders[].product` and `[user]`
    select what stands at the path itself.
    """
    names = names_of(ast)
    if names is not None:
        return True
    if ast["type"] not in _PROJECTIONS or ast["children"][1]["type"] != "identity":
        return False
    return _SELECTING.issuperset(each["type"] for each in _selecting(ast))


def _selecting(node: Ast) -> Iterator[Ast]:
    """The nodes of a projection without its conditions."""
    yield node
    children = node["children"][:2] if node["type"] == "filter_projection" else node["children"]
    for child in children:
        if isinstance(child, dict):
            yield from _selecting(child)


def together(all_reads: Iterable[Reads]) -> Reads:
    """The union of several reads."""
    total = Reads()
    for each in all_reads:
        total |= each
    return total


class _Reader:
    """One walk over a syntax tree, from the paths of the current node to those of the result."""

    def __init__(self, bound: Mapping[str, Paths]) -> None:
        self.bound = bound
        self.decides: set[Path] = set()
        self.counts: set[Path] = set()

    def read(self, node: Ast, here: Paths) -> Paths:
        handler = _HANDLERS.get(node["type"])
        # multi-selects, functions, key-value pairs, expression references: any part may flow on
        found = handler(self, node, here) if handler else self._union(node["children"], here)
        if NAMED in node and _copies(node):
            # It is computed once, for all that use it: after what `into` attaches to its items,
            # whatever part of it is used here.
            self.decides |= found
        return found

    def field(self, node: Ast, here: Paths) -> Paths:
        name: str = node["value"]
        found: set[Path] = set()
        for path in here:
            found |= self.bound[name] if not path and name in self.bound else {(*path, name)}
        return frozenset(found)

    def chain(self, node: Ast, here: Paths) -> Paths:
        for child in node["children"]:
            here = self.read(child, here)
        return here

    def wildcard(self, node: Ast, here: Paths) -> Paths:
        selected, rest = node["children"]
        values = self.read(selected, here)
        self.decides |= values  # any name below may be read
        return self.read(rest, values)

    def filter(self, node: Ast, here: Paths) -> Paths:
        selected, rest, condition = node["children"]
        items = self.read(selected, here)
        self.test(condition, items)
        return self.read(rest, items)

    def test(self, node: Ast, here: Paths) -> None:
        """Read a node of which only the truth matters."""
        if node["type"] in {"and_expression", "or_expression"}:
            for child in node["children"]:
                self.test(child, here)
        elif self._is_list(node, here):
            self.counts |= self.read(node, here)
        else:
            self.decides |= self.read(node, here)

    def negate(self, node: Ast, here: Paths) -> Paths:
        self.test(node["children"][0], here)
        return _NOTHING

    def both(self, node: Ast, here: Paths) -> Paths:
        left, right = node["children"]
        if not self._is_list(left, here):
            return self._union(node["children"], here)
        self.test(left, here)  # it is the result only where it is null or empty
        return self.read(right, here)

    def compare(self, node: Ast, here: Paths) -> Paths:
        left, right = node["children"]
        for child, other in ((left, right), (right, left)):
            found = self.counts if _is_scalar(other) else self.decides
            found |= self.read(child, here)
        return _NOTHING

    def function(self, node: Ast, here: Paths) -> Paths:
        arguments = node["children"]
        name = node["value"]
        if name == "type" or (name == "length" and self._is_list(arguments[0], here)):
            self.counts |= self.read(arguments[0], here)
            return _NOTHING
        found = self._union((each for each in arguments if each["type"] != "expref"), here)
        # `&product.price` in sort_by(orders, &product.price) is read from the other arguments
        for reference in (each for each in arguments if each["type"] == "expref"):
            found |= self.read(reference, found)
        return found

    def constant(self, _node: Ast, _here: Paths) -> Paths:
        return _NOTHING

    def same(self, _node: Ast, here: Paths) -> Paths:
        return here

    def _is_list(self, node: Ast, here: Paths) -> bool:
        """Whether a value is no item of a list that it is read from: a name, or a projection.

        What is attached to items changes neither whether a list is empty nor its length; an item
        of its own may be empty before, and have one field more afterwards.
        """
        if node["type"] in _PROJECTIONS:
            return True
        names = names_of(node)
        if names is None:
            return False
        return here != _ROOT or len(names) > 1 or names[0] not in self.bound

    def _union(self, nodes: Iterable[Ast], here: Paths) -> Paths:
        found = _NOTHING
        for node in nodes:
            found |= self.read(node, here)
        return found


def _copies(node: Ast) -> bool:
    """Whether a value may hold copies of items, which get nothing that is attached later."""
    calls = (each["value"] for each in walk(node) if each["type"] == "function_expression")
    return not _SAME_ITEMS.issuperset(calls)


def _is_scalar(node: Ast) -> bool:
    """Whether a node is a constant that no value with something attached is equal to."""
    if node["type"] == "field":
        return bool(node["value"] == "null")
    return node["type"] == "literal" and (node["value"] == [] or not _is_nested(node["value"]))


def _is_nested(value: object) -> bool:
    return isinstance(value, list | dict)


_Handler = Callable[[_Reader, Ast, Paths], Paths]
_HANDLERS: Final[Mapping[str, _Handler]] = {
    "field": _Reader.field,
    "subexpression": _Reader.chain,
    "pipe": _Reader.chain,
    "projection": _Reader.chain,
    "value_projection": _Reader.wildcard,
    "index_expression": _Reader.chain,
    "flatten": _Reader.chain,
    "filter_projection": _Reader.filter,
    "comparator": _Reader.compare,
    "not_expression": _Reader.negate,
    "and_expression": _Reader.both,
    "function_expression": _Reader.function,
    "literal": _Reader.constant,
    "identity": _Reader.same,
    "current": _Reader.same,
    "index": _Reader.same,
    "slice": _Reader.same,
}
