"""Runs several checks and reports the problems of all of them at once."""

from collections.abc import Callable, Sequence
from typing import Any

from bff.errors import ConfigError
from bff.model.problem import Problem


def collect_problems(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all tasks, and raise their problems as one error.

    Raises:
        ConfigError: with the problems of all that failed.
    """
    problems: list[Problem] = []
    done = []
    for task in tasks:
        try:
            done.append(task())
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return done
