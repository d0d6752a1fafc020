"""The level in a process's own memory: bounded in bytes, what was used longest ago goes first."""

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Final

from bff.cache.entry import Entry

_LARGEST: Final = 8  # no entry may take more than the eighth part


class Memory:
    """Entries by address.

    Args:
        bound: bytes that they may take together.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = Lock()
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._bytes = 0
        self._evicted = 0

    def get(self, address: str) -> Entry | None:
        """The entry there; it counts as used."""
        with self._lock:
            entry = self._entries.get(address)
            if entry is not None:
                self._entries.move_to_end(address)
            return entry

    def put(self, address: str, entry: Entry) -> None:
        """Keep an entry, if it is not too large to be worth the others' places."""
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
        """Drop everything."""
        with self._lock:
            self._entries.clear()
            self._bytes = 0

    def stats(self) -> dict[str, int]:
        """How full it is."""
        with self._lock:
            return {
                "entries": len(self._entries),
                "bytes": self._bytes,
                "bound": self._bound,
                "evicted": self._evicted,
            }

    def entries(self) -> Iterator[Entry]:
        """What is in it, the last used last; a snapshot."""
        with self._lock:
            found = list(self._entries.values())
        return iter(found)

    def _remove(self, address: str) -> None:
        entry = self._entries.pop(address, None)
        if entry is not None:
            self._bytes -= entry.size
