"""The interface of a shared cache store, and its implementation on flask-caching's backends."""

from collections.abc import Iterable
from secrets import token_hex
from typing import Any, Final, Protocol

from bff.cache.entry import CacheEntry, decode, encode
from bff.cache.key import is_structural

# Longer than any entry of the generation. If a generation is lost all the same (evicted, or by a
# restart), a new random one is made, so that old entries are not found again.
_GENERATION_LASTS: Final = 30 * 24 * 3600
# Of the structural tags, which every entry has: a full store evicts what expires soonest.
_STRUCTURAL_LASTS: Final = 365 * 24 * 3600
_LONGEST: Final = 7 * 24 * 3600.0


class StoreListener(Protocol):
    """Receives what other processes invalidate."""

    def changed(self, tags: Iterable[str] | None) -> None:
        """These tags have new generations; None if it is not known which."""

    def lost(self) -> None:
        """The connection was lost: invalidations may be missed from now on."""


class StoreUnavailable(Exception):
    """The store cannot be used now; callers continue without it."""


class SharedStore(Protocol):
    """The shared level behind the memory. All methods but `ready` may block for a bounded time."""

    def ready(self) -> bool:
        """Whether it can be used; never blocks."""

    def await_ready(self) -> bool:
        """The same, after a short wait for the first connection."""

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """The generations of tags; raises StoreUnavailable."""

    def get(self, address: str) -> CacheEntry | None:
        """An entry; raises StoreUnavailable."""

    def put(self, address: str, entry: CacheEntry) -> None:
        """Store an entry; raises StoreUnavailable."""

    def bump(self, tags: Iterable[str]) -> None:
        """Give tags new generations, and notify all processes; raises StoreUnavailable."""

    def stats(self) -> dict[str, Any]:
        """The state, for operators."""

    def close(self) -> None:
        """End its threads and connections."""


class BackendStore:
    """Entries and generations in one of flask-caching's backends.

    Args:
        backend: such a backend, whose values are bytes (`PlainSerializer`).
        space: the prefix of all keys; entries with another prefix are not found.
    """

    def __init__(self, backend: Any, space: str) -> None:
        self._backend, self._space = backend, space

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """The generations of tags; missing ones are created."""
        return {tag: self._generation(tag) for tag in tags}

    def get(self, address: str) -> CacheEntry | None:
        """An entry; None if there is none, or it cannot be decoded."""
        return decode(self._backend.get(f"{self._space}e:{address}"))

    def put(self, address: str, entry: CacheEntry) -> None:
        """Store an entry until it can no longer be used, for 7 days at most."""
        seconds = max(1, int(min(entry.lasts, _LONGEST)) + 1)
        if not self._backend.set(f"{self._space}e:{address}", encode(entry), timeout=seconds):
            raise OSError("the entry was not written")

    def bump(self, tags: Iterable[str]) -> None:
        """Give tags new generations."""
        for tag in tags:
            key = f"{self._space}g:{tag}"
            if not self._backend.set(key, token_hex(8).encode(), timeout=_lasts(tag)):
                raise OSError("the generation was not written")

    def drop(self, tags: Iterable[str]) -> None:
        """Delete the generations of tags, which needs no space; the next look-up makes new ones.

        Raises:
            OSError: one was not deleted.
        """
        for tag in tags:
            key = f"{self._space}g:{tag}"
            self._backend.delete(key)
            if self._backend.get(key) is not None:
                raise OSError("the generation was not removed")

    def probe(self) -> None:
        """Test that writes are accepted.

        Raises:
            OSError: they are not; the backend may raise other exceptions.
        """
        if not self._backend.set(f"{self._space}writable", b"1", timeout=1):
            raise OSError("it takes no writes")

    def _generation(self, tag: str) -> str:
        key = f"{self._space}g:{tag}"
        found = self._backend.get(key)
        if not isinstance(found, bytes):
            new = token_hex(8).encode()
            # `add` does not overwrite: of two processes that create one, both use the first
            self._backend.add(key, new, timeout=_lasts(tag))
            found = self._backend.get(key)
            found = found if isinstance(found, bytes) else new
        return found.decode("ascii", "replace")


def _lasts(tag: str) -> int:
    """Seconds that the generation of a tag is stored."""
    return _STRUCTURAL_LASTS if is_structural(tag) else _GENERATION_LASTS
