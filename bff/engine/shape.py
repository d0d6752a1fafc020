"""The answer's shape: a tree of expressions, evaluated leaf by leaf."""

from collections.abc import Iterator
from typing import Any

from bff.engine.expression import Expression, Scope
from bff.errors import Unfillable
from bff.model.source import Source, Tree

Leaf = tuple[str, Expression]  # a JSON Pointer (RFC 6901) into the shape, and what stands there


class Shape:
    """A compiled shape."""

    __slots__ = ("_tree", "leaves")

    def __init__(self, tree: Tree) -> None:
        """Compile `tree`, whose text leaves are Source.

        Raises:
            ConfigError: a leaf is not an expression.
        """
        self._tree = _compile(tree)
        self.leaves: tuple[Leaf, ...] = tuple(_leaves(self._tree, ""))

    def fill(self, scope: Scope) -> tuple[Any, list[str]]:
        """The shaped value, and what could not be computed and is null in it."""
        faults: list[str] = []
        return _fill(self._tree, scope, faults), faults


def _compile(tree: Tree) -> Tree:
    if isinstance(tree, Source):
        return Expression(tree)
    if isinstance(tree, dict):
        return {key: _compile(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_compile(value) for value in tree]
    return tree


def _leaves(tree: Tree, pointer: str) -> Iterator[Leaf]:
    if isinstance(tree, Expression):
        yield pointer, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _leaves(value, f"{pointer}/{index}")


def _fill(tree: Tree, scope: Scope, faults: list[str]) -> Any:
    if isinstance(tree, Expression):
        try:
            return tree.value(scope)
        except Unfillable as fault:
            faults.append(str(fault))
            return None
    if isinstance(tree, dict):
        return {key: _fill(value, scope, faults) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_fill(value, scope, faults) for value in tree]
    return tree
