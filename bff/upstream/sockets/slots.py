"""The limit of requests in flight (`BFF_POOL`), with a FIFO queue."""

from collections import deque
from threading import Lock
from typing import Protocol

from bff.upstream.exchange import Usage


class Queued(Protocol):
    """A request that has a slot, or is queued for one."""

    has_slot: bool

    def slot_granted(self) -> None:
        """Handle that a slot was granted; called on any thread, must not block."""


class Slots:
    """The slots of requests in flight, and their queue. Thread-safe.

    Args:
        size: the maximum of requests in flight.
    """

    def __init__(self, size: int) -> None:
        self._size, self._taken = size, 0
        self._queue: deque[Queued] = deque()
        self._lock = Lock()

    def acquire(self, queued: Queued) -> bool:
        """Take a slot, or join the queue; returns whether a slot was taken."""
        with self._lock:
            if self._taken < self._size:
                self._taken += 1
                queued.has_slot = True
            else:
                self._queue.append(queued)
            return queued.has_slot

    def release(self, queued: Queued) -> None:
        """Pass the slot to the next request in the queue, or leave the queue."""
        with self._lock:
            if not queued.has_slot:
                if queued in self._queue:
                    self._queue.remove(queued)
                return
            queued.has_slot = False
            following = self._queue.popleft() if self._queue else None
            if following is None:
                self._taken -= 1
            else:
                following.has_slot = True
        if following is not None:
            following.slot_granted()

    def usage(self) -> Usage:
        """The current utilization."""
        with self._lock:
            return Usage(self._size, self._taken, len(self._queue))
