"""A bounded mapping that evicts the least recently used entry (LRU)."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """A thread-safe mapping; reading an entry counts as use.

    Args:
        bound: the largest number of entries.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._lock = Lock()
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value of `key`; None if there is none."""
        with self._lock:
            value = self._entries.get(key)
            if value is not None:
                self._entries.move_to_end(key)
            return value

    def put(self, key: Key, value: Value) -> None:
        """Set a value; the least recently used entry is evicted if there are too many."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._bound:
                self._entries.popitem(last=False)

    def pop(self, key: Key) -> None:
        """Remove an entry, if it is there."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Remove all entries."""
        with self._lock:
            self._entries.clear()
