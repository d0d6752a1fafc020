"""Refusals: errors that a view declares, evaluated as early as possible, before any write."""

from dataclasses import dataclass

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.view import View
from bff.plan.dependencies import reads
from bff.plan.expression import Expression
from bff.plan.names import Names


@dataclass(frozen=True, slots=True)
class CompiledRefusal:
    """A refusal, compiled, with the calls that must have ended before it can be evaluated."""

    when: Expression
    status: int
    title: str
    needs: frozenset[str]


def compile_refusals(view: View, names: Names) -> tuple[tuple[CompiledRefusal, ...], list[Problem]]:
    """The refusals of a view, compiled, and their problems."""
    compiled: list[CompiledRefusal] = []
    problems: list[Problem] = []
    for refusal in view.refuse:
        try:
            when = Expression(refusal.when)
        except ConfigError as error:
            problems += error.problems
            continue
        problems += names.problems_of_refusal(when)
        needs = reads(when).roots & names.calls
        compiled.append(CompiledRefusal(when, refusal.status, refusal.title, needs))
    return tuple(compiled), problems
