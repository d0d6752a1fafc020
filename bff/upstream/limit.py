"""How many calls of one service are in flight at once, and who waits in line."""

from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class Places(Generic[Waiter]):
    """The places of a service; whoever comes to a full one waits in the order of coming."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._line: dict[Waiter, None] = {}

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._line)

    def enter(self) -> bool:
        """Take a place, if there is one that nobody waits for."""
        if self.taken >= self.limit or self._line:
            return False
        self.taken += 1
        return True

    def wait(self, waiter: Waiter) -> None:
        """Stand in line."""
        self._line[waiter] = None

    def withdraw(self, waiter: Waiter) -> bool:
        """Leave the line; false where `waiter` stands in it no more."""
        return self._line.pop(waiter, self) is None

    def leave(self) -> Waiter | None:
        """Give a place back; who has it now, if anybody waited."""
        for waiter in self._line:
            del self._line[waiter]
            return waiter
        self.taken -= 1
        return None
