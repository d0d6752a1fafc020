"""The bound on requests in flight (`BFF_POOL`): first come, first served."""

from collections import deque
from threading import Lock
from typing import Protocol

from bff.upstream.exchange import Usage


class Queued(Protocol):
    """A request that has a slot, or waits in line for one."""

    has_slot: bool

    def admitted(self) -> None:
        """It has got a slot, by any thread; never blocks."""


class Slots:
    """Slots of requests, and the line for them; thread-safe.

    Args:
        size: requests that may be in flight at once.
    """

    def __init__(self, size: int) -> None:
        self._size, self._taken = size, 0
        self._line: deque[Queued] = deque()
        self._lock = Lock()

    def enter(self, queued: Queued) -> bool:
        """Take a slot, or stand in line; whether one was taken."""
        with self._lock:
            if self._taken < self._size:
                self._taken += 1
                queued.has_slot = True
            else:
                self._line.append(queued)
            return queued.has_slot

    def leave(self, queued: Queued) -> None:
        """Give a slot to the next in line, or leave the line."""
        with self._lock:
            if not queued.has_slot:
                if queued in self._line:
                    self._line.remove(queued)
                return
            queued.has_slot = False
            following = self._line.popleft() if self._line else None
            if following is None:
                self._taken -= 1
            else:
                following.has_slot = True
        if following is not None:
            following.admitted()

    def usage(self) -> Usage:
        """How full it is."""
        with self._lock:
            return Usage(self._size, self._taken, len(self._line))
