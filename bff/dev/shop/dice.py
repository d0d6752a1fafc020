"""Reproducible randomness: each object of the shop has its own generator, seeded by its name."""

from random import Random
from typing import TypeVar

SEED = "shop-1"
T = TypeVar("T")


class Dice:
    """Seeded choices. A new object, or a further choice for one, does not change the others.

    Only `Random.random()` is used: Python guarantees its sequence across versions, and no other.
    """

    def __init__(self, *names: object) -> None:
        self._random = Random(":".join([SEED, *map(str, names)]))  # noqa: S311 - not a secret

    def between(self, least: int, most: int) -> int:
        """An integer, both ends included."""
        return least + int(self._random.random() * (most - least + 1))

    def chance(self, of_one: float) -> bool:
        """True with that probability."""
        return self._random.random() < of_one

    def pick(self, things: list[T]) -> T:
        """One of the items."""
        return things[int(self._random.random() * len(things))]

    def some(self, things: list[T], count: int) -> list[T]:
        """`count` different items (or all, if there are fewer), in random order."""
        left = list(things)
        return [left.pop(int(self._random.random() * len(left))) for _ in things[:count]]
