"""A process's budget of bytes for replies and what is decoded from them (`BFF_MEMORY`).

A reply takes bytes as it is read, a view takes them for values before they are decoded. They are
given back by the object that holds them, a `Lease`, when it is garbage: so a reply that several
requests share is counted once, until the last of them drops it, however each of them ends.
"""

from collections import deque
from threading import Lock
from typing import Final

from bff.errors import MemoryReached

DEFAULT: Final = 128 * 1024 * 1024
_SMALL: Final = 64 * 1024  # bytes; leases up to this may use the last part of the budget
_RESERVED: Final = 8  # that part: one eighth


class Memory:
    """The bytes that all requests of a process hold together; thread-safe.

    Args:
        most: bytes. Seven eighths of them are for all; the rest is for small replies only, so that
            those of one service that sends too much do not fail the calls of all others.
    """

    def __init__(self, most: int = DEFAULT) -> None:
        self.most = most
        self._shared = most - most // _RESERVED
        self._lock = Lock()
        self._taken = 0
        self._refused = 0
        # What ended leases held. A lease may end inside the garbage collector, at any point of any
        # thread, also within `_take`: appending to a deque needs no lock.
        self._returned: deque[int] = deque()

    def lease(self) -> "Lease":
        """A new lease, of nothing yet."""
        return Lease(self)

    @property
    def taken(self) -> int:
        """Bytes that are taken now."""
        with self._lock:
            self._settle()
            return self._taken

    @property
    def refused(self) -> int:
        """How often bytes were refused, ever."""
        return self._refused

    def take(self, more: int, held: int) -> None:
        """Take bytes for a lease that holds some.

        Raises:
            MemoryReached: there are not so many left.
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
        """Give bytes back; takes no lock."""
        self._returned.append(size)

    def admit(self, size: int) -> None:
        """Refuse what is announced and has no room, before it is read.

        Raises:
            MemoryReached: there are not so many bytes left.
        """
        if size > _SMALL:
            self.take(size, 0)
            self.give_back(size)

    def _settle(self) -> None:
        while self._returned:
            self._taken -= self._returned.popleft()


class Lease:
    """Bytes that one reply or one request holds, until it is closed or garbage."""

    __slots__ = ("_memory", "size")

    def __init__(self, memory: Memory) -> None:
        self._memory, self.size = memory, 0

    def another(self) -> "Lease":
        """A new lease of the same memory, of nothing yet."""
        return Lease(self._memory)

    def add(self, size: int) -> None:
        """Hold so many bytes more.

        Raises:
            MemoryReached: there are not so many left.
        """
        self._memory.take(size, self.size)
        self.size += size

    def shrink(self, size: int) -> None:
        """Hold no more than `size` bytes from now on."""
        if size < self.size:
            self._memory.give_back(self.size - size)
            self.size = size

    def __del__(self) -> None:
        """Give everything back."""
        if self.size:
            self._memory.give_back(self.size)
