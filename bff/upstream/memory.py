"""The memory budget of a process for replies and values decoded from them (`BFF_MEMORY`).

A reply takes bytes as it is read, a view takes them before it decodes values. A `Lease` holds them
and returns them when it is garbage-collected. So a reply that several requests share is counted
once, until the last of them drops it, even if it fails.
"""

from collections import deque
from threading import Lock
from typing import Final

from bff.errors import MemoryReached

DEFAULT: Final = 128 * 1024 * 1024
_SMALL: Final = 64 * 1024  # bytes; leases up to this may use the last part of the budget
_RESERVED: Final = 8  # the last part is one eighth


class Memory:
    """The bytes that all requests of a process hold. Thread-safe.

    Args:
        most: the budget in bytes. One eighth is reserved for small replies, so that a service that
            sends too much does not fail the calls of all others.
    """

    def __init__(self, most: int = DEFAULT) -> None:
        self.most = most
        self._shared = most - most // _RESERVED
        self._lock = Lock()
        self._taken = 0
        self._refused = 0
        # Bytes of ended leases. The garbage collector may end a lease at any point of any thread,
        # also while the lock is held: appending to a deque needs no lock.
        self._returned: deque[int] = deque()

    def lease(self) -> "Lease":
        """A new, empty lease."""
        return Lease(self)

    @property
    def taken(self) -> int:
        """Bytes in use."""
        with self._lock:
            self._settle()
            return self._taken

    @property
    def refused(self) -> int:
        """The number of refusals, in total."""
        return self._refused

    def take(self, more: int, held: int) -> None:
        """Take bytes for a lease.

        Args:
            more: bytes to take.
            held: bytes that the lease holds already.

        Raises:
            MemoryReached: the budget is exhausted.
        """
        with self._lock:
            self._settle()
            bound = self.most if held + more <= _SMALL else self._shared
            if self._taken + more <= bound:
                self._taken += more
                return
            self._refused += 1
        raise MemoryReached(f"the process may hold {self.most} bytes of replies (BFF_MEMORY)")

    def give_back(self, size: int) -> None:
        """Return bytes; takes no lock."""
        self._returned.append(size)

    def admit(self, size: int) -> None:
        """Check the announced size of a reply before it is read; takes nothing.

        Raises:
            MemoryReached: it exceeds the rest of the budget.
        """
        if size > _SMALL:
            self.take(size, 0)
            self.give_back(size)

    def _settle(self) -> None:
        while self._returned:
            self._taken -= self._returned.popleft()


class Lease:
    """Bytes that one reply or one request holds, until it is garbage-collected."""

    __slots__ = ("_memory", "size")

    def __init__(self, memory: Memory) -> None:
        self._memory, self.size = memory, 0

    def another(self) -> "Lease":
        """A new, empty lease of the same budget."""
        return Lease(self._memory)

    def add(self, size: int) -> None:
        """Take more bytes.

        Raises:
            MemoryReached: the budget is exhausted.
        """
        self._memory.take(size, self.size)
        self.size += size

    def shrink(self, size: int) -> None:
        """Return all but `size` bytes."""
        if size < self.size:
            self._memory.give_back(self.size - size)
            self.size = size

    def __del__(self) -> None:
        """Return all bytes."""
        if self.size:
            self._memory.give_back(self.size)
