"""Named expressions of a view (`values`): compiled in the order of need, bound to what uses them.

An expression that uses a value has two syntax trees. In the one that is analysed the value's own
tree stands in place of its name, so that dependencies, pruning and cache scopes follow from it. In
the one that is evaluated a node computes the value at its first use in a request.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Any, Final

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.source import Place, Source
from bff.model.view import View
from bff.plan.expression import Expression, walk
from bff.plan.names_at_root import NAMED, names_at_root

Values = Mapping[str, Expression]
_OF_REPLIES: Final = frozenset({"select", "batch", "pages"})  # evaluated on a reply, without values
_NULL: Final = "`null`"


def compiled_values(view: View) -> tuple[dict[str, Expression], list[Problem]]:
    """The values of a view, each after those that it uses, and their problems.

    A value with a problem is null, so that what uses it does not report the problem again.
    """
    values: dict[str, Expression] = {}
    problems: list[Problem] = []
    try:
        ordered, problems = _ordered(view)
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        steps = "; ".join(f"`{one}` uses `{other}`" for one, other in pairwise(circle))
        message = f"the values of `{view.name}` use each other: {steps}"
        problems = [Problem("cycle", view.values[circle[0]].place, message)]
        ordered = []
    for name, source in ordered:
        values[name] = Expression(replace(source, values=dict(values)))
    for name, source in view.values.items():
        values.setdefault(name, Expression(Source(_NULL, source.place)))
    return values, problems


def _ordered(view: View) -> tuple[list[tuple[str, Source]], list[Problem]]:
    """The values that compile, in the order of need. Raises CycleError."""
    problems: list[Problem] = []
    uses: dict[str, set[str]] = {}
    for name, source in view.values.items():
        try:
            uses[name] = names_at_root(Expression(source).ast) & view.values.keys()
        except ConfigError as error:
            problems += error.problems
            uses[name] = set()
    order = TopologicalSorter(uses).static_order()
    broken = {problem.place for problem in problems}
    found = [(name, view.values[name]) for name in order]
    return [each for each in found if each[1].place not in broken], problems


def with_values(declared: Any, values: Values) -> Any:
    """A declaration with the values bound to each of its texts that reads the scope."""
    if isinstance(declared, Source):
        return replace(declared, values=values)
    if isinstance(declared, dict):
        return {key: with_values(each, values) for key, each in declared.items()}
    if isinstance(declared, list):
        return [with_values(each, values) for each in declared]
    if isinstance(declared, tuple):
        return tuple(with_values(each, values) for each in declared)
    if is_dataclass(declared) and not isinstance(declared, Place | type):
        names = [each.name for each in fields(declared) if each.name not in _OF_REPLIES]
        given = {name: getattr(declared, name) for name in names}
        return replace(declared, **{key: with_values(each, values) for key, each in given.items()})
    return declared


def used_values(expressions: Iterable[Expression], values: Values) -> dict[str, Expression]:
    """The values that expressions use, directly or through others, in the order of need."""
    used = {name for each in expressions for name in used_names(each)}
    return {name: value for name, value in values.items() if name in used}


def used_names(expression: Expression) -> set[str]:
    """The names of the values that an expression uses, directly or through others."""
    return {name for node in walk(expression.ast) for name in node.get(NAMED, ())}
