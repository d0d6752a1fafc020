"""The shared store of a cache: entries and generations, through flask-caching's backends."""

from collections.abc import Iterable
from secrets import token_hex
from typing import Any, Final, Protocol

from bff.cache.entry import CacheEntry, decode, encode
from bff.cache.key import is_structural

# Seconds for which a generation is stored: longer than any entry under it. One that is lost all
# the same (evicted, or in a restart) is replaced by a new one, never by an old one.
_GENERATION_LASTS: Final = 30 * 24 * 3600
# The tags that all entries are under last longer: a full store evicts what expires soonest.
_STRUCTURAL_LASTS: Final = 365 * 24 * 3600
_LONGEST: Final = 7 * 24 * 3600.0


class StoreListener(Protocol):
    """Is notified of what other processes do to a store."""

    def changed(self, tags: Iterable[str] | None) -> None:
        """These tags have new generations; None: some tags have."""

    def lost(self) -> None:
        """The notifications of other processes are interrupted, so any tag may have changed."""


class StoreUnavailable(Exception):
    """The store cannot be used at the moment; the caller goes on without it."""


class SharedStore(Protocol):
    """The level behind the memory. All methods but `ready` may block, each within its bound."""

    def ready(self) -> bool:
        """Whether a lookup is worth trying; never blocks. False while it is known to be away."""

    def await_ready(self) -> bool:
        """The same, after a short wait for the first connection."""

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """The generations of tags; raises StoreUnavailable."""

    def get(self, address: str) -> CacheEntry | None:
        """The entry at an address; raises StoreUnavailable."""

    def put(self, address: str, entry: CacheEntry) -> None:
        """Store an entry; raises StoreUnavailable."""

    def bump(self, tags: Iterable[str]) -> None:
        """Give tags new generations, and notify all processes; raises StoreUnavailable."""

    def stats(self) -> dict[str, Any]:
        """Figures for operators."""

    def close(self) -> None:
        """End its threads and connections."""


class BackendStore:
    """Entries and generations in one of flask-caching's backends.

    Args:
        backend: a backend whose values are bytes (`PlainSerializer`).
        space: the prefix of all keys; entries under another prefix are not found.
    """

    def __init__(self, backend: Any, space: str) -> None:
        self._backend, self._space = backend, space

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """The generations of tags; a tag without one gets one."""
        return {tag: self._generation(tag) for tag in tags}

    def get(self, address: str) -> CacheEntry | None:
        """The entry at an address; None if there is none, or it cannot be decoded."""
        return decode(self._backend.get(f"{self._space}e:{address}"))

    def put(self, address: str, entry: CacheEntry) -> None:
        """Store an entry for as long as it has a use."""
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
        """Remove the generations of tags, which takes no room; the next lookup makes new ones.

        Raises:
            OSError: one of them is still there.
        """
        for tag in tags:
            key = f"{self._space}g:{tag}"
            self._backend.delete(key)
            if self._backend.get(key) is not None:
                raise OSError("the generation was not removed")

    def probe(self) -> None:
        """Write a key; raises whatever the backend raises where it takes no writes."""
        if not self._backend.set(f"{self._space}writable", b"1", timeout=1):
            raise OSError("it takes no writes")

    def _generation(self, tag: str) -> str:
        key = f"{self._space}g:{tag}"
        found = self._backend.get(key)
        if not isinstance(found, bytes):
            new = token_hex(8).encode()
            # where two processes find none at once, both use the one that was added first
            self._backend.add(key, new, timeout=_lasts(tag))
            found = self._backend.get(key)
            found = found if isinstance(found, bytes) else new
        return found.decode("ascii", "replace")


def _lasts(tag: str) -> int:
    """Seconds for which the generation of a tag is stored."""
    return _STRUCTURAL_LASTS if is_structural(tag) else _GENERATION_LASTS
