"""The answer's shape: a tree of expressions, evaluated leaf by leaf."""

from collections.abc import Iterator
from typing import Any

from bff.errors import Unfillable
from bff.model.source import Place, Tree
from bff.plan.dependencies import Reads, reads, together
from bff.plan.expression import Expression, Scope
from bff.plan.python_function import Function
from bff.plan.response_head import ResponseHead
from bff.plan.tree import compile_tree

Leaf = tuple[str, Expression]  # a JSON Pointer (RFC 6901) into the shape, and its expression


class Shape:
    """A compiled shape.

    Args:
        omit_null: whether null members of objects are omitted.
        head: what of the answer's head is computed, as leaves of the shape; None for nothing.
    """

    __slots__ = ("_omit_null", "_tree", "head", "leaves")

    def __init__(
        self, tree: Tree, *, omit_null: bool = False, head: ResponseHead | None = None
    ) -> None:
        """Compile `tree`, whose text leaves are Source.

        Raises:
            ConfigError: a leaf is not an expression.
        """
        self._tree = compile_tree(tree, Expression)
        self._omit_null = omit_null
        self.head = head
        self.leaves: tuple[Leaf, ...] = (*_leaves(self._tree, ""), *(head.leaves if head else ()))

    @property
    def body(self) -> Expression | None:
        """The expression that is the whole shape; None where it is a tree."""
        return self._tree if isinstance(self._tree, Expression) else None

    def fill(self, scope: Scope) -> tuple[Any, list[str]]:
        """The shaped value, and the leaves that could not be computed and are null in it."""
        faults: list[str] = []
        value = _fill(self._tree, scope, faults)
        return self._finished(value, faults)

    def _finished(self, value: Any, faults: list[str]) -> tuple[Any, list[str]]:
        try:
            return (_without_nulls(value) if self._omit_null else value), faults
        except RecursionError:
            return None, ["the answer is nested too deeply"]

    @property
    def reads(self) -> Reads:
        """The paths that all leaves read."""
        return together(reads(leaf) for _, leaf in self.leaves)


class MadeShape(Shape):
    """An answer that a Python function makes."""

    __slots__ = ("_function",)

    def __init__(
        self, function: Function, *, omit_null: bool = False, head: ResponseHead | None = None
    ) -> None:
        super().__init__(None, omit_null=omit_null, head=head)
        self._function = function

    def fill(self, scope: Scope) -> tuple[Any, list[str]]:
        """The result of the function; null if it raised."""
        try:
            value = self._function.value(scope)
        except Unfillable as fault:
            return None, [str(fault)]
        return self._finished(value, [])

    @property
    def place(self) -> Place:
        """The place that names the function."""
        return self._function.source.place

    @property
    def reads(self) -> Reads:
        """The paths that the function declares to read."""
        return self._function.reads | super().reads


def _leaves(tree: Tree, pointer: str) -> Iterator[Leaf]:
    if isinstance(tree, Expression):
        yield pointer, tree
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _leaves(value, f"{pointer}/{index}")


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


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
