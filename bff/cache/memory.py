"""The cache level in a process's memory: bounded in bytes, least recently used evicted first."""

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Final

from bff.cache.entry import CacheEntry

_LARGEST: Final = 8  # an entry may take at most an eighth of the memory


class Memory:
    """Entries by address.

    Args:
        bound: bytes that all entries together may take.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = Lock()
        self._entries: OrderedDict[str, CacheEntry] = OrderedDict()
        self._bytes = 0
        self._evicted = 0

    def get(self, address: str) -> CacheEntry | None:
        """The entry at an address, which counts as used from now on."""
        with self._lock:
            entry = self._entries.get(address)
            if entry is not None:
                self._entries.move_to_end(address)
            return entry

    def put(self, address: str, entry: CacheEntry) -> None:
        """Store an entry, unless it is so large that it would evict too many others."""
        size = entry.size
        with self._lock:
            self._remove(address)
            if size * _LARGEST > self._bound:
                return
            self._entries[address] = entry
            self._bytes += size
            while self._bytes > self._bound:
                self._remove(next(iter(self._entries)))
                self._evicted += 1

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def stats(self) -> dict[str, int]:
        """Figures for operators."""
        with self._lock:
            return {
                "entries": len(self._entries),
                "bytes": self._bytes,
                "bound": self._bound,
                "evicted": self._evicted,
            }

    def entries(self) -> Iterator[CacheEntry]:
        """A snapshot of the entries, most recently used last."""
        with self._lock:
            found = list(self._entries.values())
        return iter(found)

    def _remove(self, address: str) -> None:
        entry = self._entries.pop(address, None)
        if entry is not None:
            self._bytes -= entry.size
