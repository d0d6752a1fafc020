"""Progress of long operations, for a progress bar."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable to report how many items are done."""

    def __call__(self, things: Iterable[T], what: str, total: int) -> Iterable[T]:
        """Iterate over `things`, `total` at most; `what` names the operation."""


def no_progress(things: Iterable[T], what: str, total: int) -> Iterable[T]:
    """Report nothing."""
    del what, total
    return things
