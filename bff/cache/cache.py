"""The cache of a process: memory in front of a store that processes share, and tag generations."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import random
from threading import Lock
from time import time
from typing import Any, Final

from bff.cache.entry import CacheEntry
from bff.cache.generations import Generations
from bff.cache.key import EVERYTHING, CacheKey, key_of
from bff.cache.memory import Memory
from bff.cache.policy import EntryState, state_at
from bff.cache.store import SharedStore, StoreListener, StoreUnavailable

_READS: Final = 3  # of the shared store, where each is overtaken by an invalidation


@dataclass(frozen=True, slots=True)
class Lookup:
    """The result of a lookup.

    Args:
        address: where a response that is fetched now may be stored; None if it may not.
        entry: the stored entry, fresh or not.
        ask_shared: whether the shared store may have a newer entry.
    """

    address: str | None = None
    entry: CacheEntry | None = None
    ask_shared: bool = False


@dataclass(frozen=True, slots=True)
class RemoteLookup:
    """The effect of a lookup in the shared store."""

    cache_key: CacheKey

    @property
    def key(self) -> tuple[str, CacheKey]:
        """Concurrent lookups of one cache key share one read."""
        return "lookup", self.cache_key


@dataclass(frozen=True, slots=True)
class RemoteWrite:
    """The effect of writing an entry to the shared store; no request waits for it."""

    address: str
    entry: CacheEntry

    @property
    def key(self) -> tuple[str, str]:
        """Concurrent writes to one address are written once."""
        return "write", self.address


class Cache:
    """Both levels. Methods that may block say so; all others return at once.

    Args:
        bound: bytes of memory.
        store: opens the shared store, given the listener for its changes; None for memory only.
        now: seconds since 1970.
        chance: random numbers from 0 to 1, by which lifetimes are spread.
    """

    def __init__(
        self,
        bound: int,
        store: Callable[[StoreListener], SharedStore] | None = None,
        now: Callable[[], float] = time,
        chance: Callable[[], float] = random,
    ) -> None:
        self.now, self.chance = now, chance
        self._memory = Memory(bound)
        self._generations = Generations()
        self._store = store(self) if store else None
        self._lock = Lock()
        self._counts: dict[str, int] = dict.fromkeys(
            ("fresh", "stale", "error", "miss", "invalidated"), 0
        )

    @property
    def shared(self) -> bool:
        """Whether there is a shared store behind the memory."""
        return self._store is not None

    @property
    def changes(self) -> int:
        """A number that changes with each invalidation that this process learns of."""
        return self._generations.changes

    def get_local(self, key: CacheKey) -> Lookup:
        """Look up a key in memory; never blocks."""
        store = self._store
        if store is None:
            address = key.address(self._generations.own(key.tags))
            return Lookup(address, self._memory.get(address))
        if not store.ready():
            return Lookup()
        generations = self._generations.known(key.tags)
        if generations is None:
            return Lookup(ask_shared=True)
        address = key.address(generations)
        entry = self._memory.get(address)
        return Lookup(address, entry, ask_shared=self.state_of(entry) != "fresh")

    def get_shared(self, effect: RemoteLookup) -> Lookup:
        """Look up a key in the shared store; blocks within the store's bound, and never raises."""
        store, key = self._store, effect.cache_key
        if store is None or not store.await_ready():
            return Lookup()
        for _ in range(_READS):
            since = self._generations.changes
            try:
                generations = store.generations(key.tags)
                address = key.address(generations[tag] for tag in key.tags)
                entry = store.get(address)
            except StoreUnavailable:
                return Lookup()
            if self._generations.learn(generations, since):
                if entry is not None:
                    self._memory.put(address, entry)
                return Lookup(address, entry)
        return Lookup()  # an invalidation overtook each read: the entry may be older than it

    def put_local(self, address: str, entry: CacheEntry) -> None:
        """Store an entry in memory; never blocks."""
        self._memory.put(address, entry)

    def put_shared(self, effect: RemoteWrite) -> None:
        """Store an entry in the shared store; blocks, and never raises."""
        if self._store is not None:
            try:
                self._store.put(effect.address, effect.entry)
            except StoreUnavailable:
                return

    def get_at(self, address: str) -> CacheEntry | None:
        """The entry in memory at an address; never blocks."""
        return self._memory.get(address)

    def get_fresh(self, address: str | None) -> CacheEntry | None:
        """The entry in memory at an address if it is fresh; never blocks."""
        entry = self._memory.get(address) if address else None
        return entry if self.state_of(entry) == "fresh" else None

    def state_of(self, entry: CacheEntry | None) -> EntryState:
        """The state of an entry now; `expired` for None."""
        return state_at(entry, self.now()) if entry is not None else "expired"

    def invalidate(self, tags: Iterable[str]) -> bool:
        """Make all entries with one of these tags unreachable; blocks, and never raises.

        Args:
            tags: keys, as `tag_of` and the like return them.

        Returns:
            Whether the shared store has the invalidation; if not, it gets it when it is back.
        """
        tags = list(tags)
        self._generations.forget(tags)  # in this process at once, even if the store fails
        self.count("invalidated", len(tags))
        if self._store is None:
            return True
        try:
            self._store.bump(tags)
        except StoreUnavailable:
            return False
        finally:
            # another thread may have read the old generation while it was replaced
            self._generations.forget(tags)
        return True

    def invalidate_all(self) -> bool:
        """Make all entries unreachable; blocks, and never raises."""
        return self.invalidate([key_of(EVERYTHING)])

    def count(self, what: str, by: int = 1) -> None:
        """Count lookups by their result, and invalidated tags."""
        with self._lock:
            self._counts[what] += by

    def stats(self) -> Mapping[str, Any]:
        """Figures of this process for operators."""
        with self._lock:
            counts = dict(self._counts)
        store = self._store.stats() if self._store else {"store": "none", "state": "up"}
        return {"looked_up": counts, "memory": self._memory.stats(), "shared": store}

    def unavailable(self) -> str:
        """Why the cache is not in use at the moment; empty if it is."""
        state = self._store.stats()["state"] if self._store else ""
        return (
            "the cache's store is unavailable: all calls go to services" if state == "away" else ""
        )

    def entries(self) -> list[dict[str, Any]]:
        """The entries in memory, last used first, without any user's data."""
        now = self.now()
        found = [
            {
                "of": entry.label,
                "status": entry.status,
                "is": state_at(entry, now),
                "age": round(max(0.0, now - entry.stored), 1),
                "fresh_for": round(max(0.0, entry.stored + entry.fresh - now), 1),
                "bytes": entry.size,
            }
            for entry in self._memory.entries()
        ]
        return found[::-1]

    def close(self) -> None:
        """Close the shared store."""
        if self._store is not None:
            self._store.close()

    def changed(self, tags: Iterable[str] | None) -> None:
        """See `StoreListener`: another process has invalidated these tags, or some (None)."""
        self._generations.forget(tags)

    def lost(self) -> None:
        """See `StoreListener`: invalidations may be missed, so nothing in memory can be trusted."""
        self._generations.forget()
        self._memory.clear()
