"""Doing several things of which each may find problems, and telling all of them at once."""

from collections.abc import Callable, Sequence
from typing import Any

from bff.errors import ConfigError
from bff.model.problem import Problem


def collect_problems(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    """Do all of `tasks`, and raise what they raise as one.

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
