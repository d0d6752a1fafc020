"""The concurrency limit of one service, with a FIFO queue."""

from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class Places(Generic[Waiter]):
    """The slots of a concurrency limit; requests wait for one in FIFO order."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._line: dict[Waiter, None] = {}

    @property
    def waiting(self) -> int:
        """The length of the queue."""
        return len(self._line)

    def enter(self) -> bool:
        """Take a slot; False if none is free or others are waiting."""
        if self.taken >= self.limit or self._line:
            return False
        self.taken += 1
        return True

    def wait(self, waiter: Waiter) -> None:
        """Join the queue."""
        self._line[waiter] = None

    def withdraw(self, waiter: Waiter) -> bool:
        """Leave the queue; False if `waiter` is not in it any more."""
        return self._line.pop(waiter, self) is None

    def leave(self) -> Waiter | None:
        """Release a slot; returns the waiter that takes it over, if any."""
        for waiter in self._line:
            del self._line[waiter]
            return waiter
        self.taken -= 1
        return None
