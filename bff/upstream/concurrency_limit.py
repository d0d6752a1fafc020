"""The concurrency limit of one service, with a FIFO queue."""

from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class ConcurrencyLimit(Generic[Waiter]):
    """The slots of a concurrency limit; requests wait for one in FIFO order."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._queue: dict[Waiter, None] = {}

    @property
    def waiting(self) -> int:
        """The length of the queue."""
        return len(self._queue)

    def acquire(self) -> bool:
        """Take a slot; False if none is free or others are waiting."""
        if self.taken >= self.limit or self._queue:
            return False
        self.taken += 1
        return True

    def enqueue(self, waiter: Waiter) -> None:
        """Join the queue."""
        self._queue[waiter] = None

    def dequeue(self, waiter: Waiter) -> bool:
        """Leave the queue; False if `waiter` is not in it any more."""
        return self._queue.pop(waiter, self) is None

    def release(self) -> Waiter | None:
        """Release a slot; returns the waiter that takes it over, if any."""
        for waiter in self._queue:
            del self._queue[waiter]
            return waiter
        self.taken -= 1
        return None
