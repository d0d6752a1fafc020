"""Trees of lists and mappings whose text leaves are templates or expressions: compiled, filled."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bff.model.source import Source, Tree
from bff.plan.expression import Scope
from bff.plan.problems import collect_problems
from bff.plan.template import Template


def fill_tree(tree: Tree, scope: Scope, given: tuple[Template, Any] | None = None) -> Any:
    """A copy of `tree` with every template in it filled.

    Args:
        given: a template of the tree whose value is known already.

    Raises:
        Unfillable: see `Template.filled`.
    """
    if isinstance(tree, Template):
        return given[1] if given and tree is given[0] else tree.filled(scope)
    if isinstance(tree, dict):
        return {key: fill_tree(value, scope, given) for key, value in tree.items()}
    if isinstance(tree, list):
        return [fill_tree(value, scope, given) for value in tree]
    return tree


def compile_tree(tree: Tree, make: Callable[[Source], Any] = Template) -> Tree:
    """The same tree with every Source compiled.

    Args:
        make: what each becomes: a Template, or in a shape an Expression.

    Raises:
        ConfigError: with the problems of all that do not compile.
    """
    if isinstance(tree, Source):
        return make(tree)
    if isinstance(tree, dict):
        values = collect_problems([partial(compile_tree, value, make) for value in tree.values()])
        return dict(zip(tree, values, strict=True))
    if isinstance(tree, list):
        return collect_problems([partial(compile_tree, value, make) for value in tree])
    return tree


def templates_in(tree: Tree) -> Iterator[Template]:
    """Every template of a compiled tree."""
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from templates_in(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from templates_in(value)
