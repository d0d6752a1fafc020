"""What an expression reads: the paths from the root names whose values reach its result.

`orders[].{id: id, title: product.title}` reads `orders.id` and `orders.product.title`. From this
follow the dependencies between calls, what a frontend's shape lets one leave out, and what an
answer depends on. The analysis errs on the side of more.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bff.engine.expression import Ast, Expression

Path = tuple[str, ...]
Paths = frozenset[Path]

_NOTHING: Final[Paths] = frozenset()
_ROOT: Final[Paths] = frozenset({()})


@dataclass(frozen=True, slots=True)
class Reads:
    """Paths that flow into the result whole, and paths that only decide (filters, comparisons)."""

    result: Paths = _NOTHING
    decides: Paths = _NOTHING

    @property
    def all(self) -> Paths:
        """Every path read, for whatever reason."""
        return self.result | self.decides

    @property
    def roots(self) -> frozenset[str]:
        """The root names read; an empty name stands for the whole scope."""
        return frozenset(path[0] if path else "" for path in self.all)

    def __or__(self, other: "Reads") -> "Reads":
        return Reads(self.result | other.result, self.decides | other.decides)


def reads(expression: Expression, bound: Mapping[str, Paths] | None = None) -> Reads:
    """What `expression` reads.

    Args:
        bound: names that stand for what other paths hold (`item` for the elements of a list).
    """
    if not bound and expression.reads is not None:
        known: Reads = expression.reads
        return known
    reader = _Reader(bound or {})
    result = reader.read(expression.ast, _ROOT)
    found = Reads(result, frozenset(reader.decides))
    if not bound:
        expression.reads = found  # it is asked for many times while a view is planned and checked
    return found


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

    def read(self, node: Ast, here: Paths) -> Paths:
        handler = _HANDLERS.get(node["type"])
        if handler is not None:
            return handler(self, node, here)
        # multi-selects, functions, key-value pairs, expression references: any part may flow on
        return self._union(node["children"], here)

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
        self.decides |= self.read(condition, items)
        return self.read(rest, items)

    def decide(self, node: Ast, here: Paths) -> Paths:
        self.decides |= self._union(node["children"], here)
        return _NOTHING

    def function(self, node: Ast, here: Paths) -> Paths:
        arguments = node["children"]
        found = self._union((each for each in arguments if each["type"] != "expref"), here)
        # `&product.price` in sort_by(orders, &product.price) is read from the other arguments
        for reference in (each for each in arguments if each["type"] == "expref"):
            found |= self.read(reference, found)
        return found

    def constant(self, _node: Ast, _here: Paths) -> Paths:
        return _NOTHING

    def same(self, _node: Ast, here: Paths) -> Paths:
        return here

    def _union(self, nodes: Iterable[Ast], here: Paths) -> Paths:
        found = _NOTHING
        for node in nodes:
            found |= self.read(node, here)
        return found


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
    "comparator": _Reader.decide,
    "not_expression": _Reader.decide,
    "function_expression": _Reader.function,
    "literal": _Reader.constant,
    "identity": _Reader.same,
    "current": _Reader.same,
    "index": _Reader.same,
    "slice": _Reader.same,
}
