"""Long work, so that whoever waits for it can be shown how far it is."""

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Watch(Protocol):
    """Gives things on one by one, and sees how many are done."""

    def __call__(self, things: Sequence[T], what: str) -> Iterable[T]:
        """The things; `what` says what is done with them."""


def unwatched(things: Sequence[T], what: str) -> Iterable[T]:
    """Nobody waits."""
    del what
    return things
