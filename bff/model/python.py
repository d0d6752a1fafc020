"""Decorators that declare views and functions in Python; they only mark the function."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from bff.model.source import Place

Function = TypeVar("Function", bound=Callable[..., Any])
Path = tuple[str, ...]
READS: Final = "__bff_reads__"
VIEW: Final = "__bff_view__"


@dataclass(frozen=True, slots=True)
class Declared:
    """A view declared in Python.

    Args:
        keys: the keys of the view, as in a YAML file.
        reads: paths of the request's values that the function itself reads; None if it is not
            declared, and all may be read.
        given: names of values that the function passes when it starts a call.
    """

    keys: dict[str, Any]
    reads: tuple[Path, ...] | None
    given: frozenset[str]
    place: Place


def reads(*paths: str) -> Callable[[Function], Function]:
    """Declare what a function of `shape_with` or `json_with` reads.

    Args:
        paths: such as "user", "orders" or "session.sub"; the function is given just these.
    """

    def mark(function: Function) -> Function:
        setattr(function, READS, _paths(paths))
        return function

    return mark


def view(
    *, reads: Iterable[str] | None = None, given: Iterable[str] = (), **keys: Any
) -> Callable[[Function], Function]:
    """Declare a view in Python; the function is given an `Ask` and returns the answer.

    Args:
        reads: values of the request that the function itself reads, such as "params.limit".
            Anything else then raises; without it, all may be read and the answer is per person.
        given: names of values that it passes when it starts a call: `ask.start("x", item=…)`.
        keys: the keys of a view, as in YAML, without `shape`.
    """

    def mark(function: Function) -> Function:
        code = function.__code__
        place = Place(code.co_filename, code.co_firstlineno)
        own = None if reads is None else _paths(reads)
        setattr(function, VIEW, Declared(keys, own, frozenset(given), place))
        module = sys.modules.get(function.__module__)
        if module is not None:
            module.__dict__.setdefault(VIEW, []).append(function)
        return function

    return mark


def _paths(texts: Iterable[str]) -> tuple[Path, ...]:
    return tuple(tuple(text.split(".")) for text in texts)
