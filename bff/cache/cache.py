"""The cache: memory in front of what processes share, and generations in front of both."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import random
from threading import Lock
from time import time
from typing import Any, Final

from bff.cache.entry import Entry
from bff.cache.generations import Generations
from bff.cache.key import EVERYTHING, Wanted, key_of
from bff.cache.memory import Memory
from bff.cache.policy import judge
from bff.cache.store import Away, Listener, Store

_LOOKS: Final = 3


@dataclass(frozen=True, slots=True)
class Near:
    """What a look-up found.

    Args:
        address: where what is loaded now may be kept; None where it may not be kept.
        entry: what is there, fresh or not.
        ask: whether the shared level may know more.
    """

    address: str | None = None
    entry: Entry | None = None
    ask: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """The effect of asking the shared level."""

    wanted: Wanted

    @property
    def key(self) -> tuple[str, Wanted]:
        """Whoever wants the same asks once."""
        return "look", self.wanted


@dataclass(frozen=True, slots=True)
class Write:
    """The effect of keeping an entry at the shared level; nobody waits for it."""

    address: str
    entry: Entry

    @property
    def key(self) -> tuple[str, str]:
        """Of two that are written at once to one address, one is enough."""
        return "write", self.address


class Cache:
    """Both levels; what may block is said so, everything else answers at once.

    Args:
        bound: bytes of memory.
        store: makes the shared level, given whom it tells of changes; None for none.
        now: seconds since 1970.
        chance: 0 to 1.
    """

    def __init__(
        self,
        bound: int,
        store: Callable[[Listener], Store] | None = None,
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
        """Whether there is a level behind the memory."""
        return self._store is not None

    @property
    def changes(self) -> int:
        """Another number after each invalidation that was heard of."""
        return self._generations.changes

    def near(self, wanted: Wanted) -> Near:
        """What is in memory; never blocks."""
        store = self._store
        if store is None:
            address = wanted.address(self._generations.own(wanted.tags))
            return Near(address, self._memory.get(address))
        if not store.ready():
            return Near()
        generations = self._generations.known(wanted.tags)
        if generations is None:
            return Near(ask=True)
        address = wanted.address(generations)
        entry = self._memory.get(address)
        ask = entry is None or judge(entry, self.now()) != "fresh"
        return Near(address, entry, ask=ask)

    def look(self, effect: Look) -> Near:
        """What the shared level has; blocks, within the store's bound, and never raises."""
        store, wanted = self._store, effect.wanted
        if store is None or not store.await_ready():
            return Near()
        for _ in range(_LOOKS):
            since = self._generations.changes
            try:
                generations = store.generations(wanted.tags)
                address = wanted.address(generations[tag] for tag in wanted.tags)
                entry = store.get(address)
            except Away:
                return Near()
            if self._generations.learn(generations, since):
                if entry is not None:
                    self._memory.put(address, entry)
                return Near(address, entry)
        return Near()  # it changed each time meanwhile: what was read may be of before

    def keep(self, address: str, entry: Entry) -> None:
        """Keep an entry in memory; never blocks."""
        self._memory.put(address, entry)

    def recall(self, address: str) -> Entry | None:
        """What is in memory at an address; never blocks."""
        return self._memory.get(address)

    def write(self, effect: Write) -> None:
        """Keep an entry at the shared level; blocks, and never raises."""
        if self._store is not None:
            try:
                self._store.put(effect.address, effect.entry)
            except Away:
                return

    def invalidate(self, tags: Iterable[str]) -> bool:
        """Make all under these tags unreachable; blocks, and never raises.

        Args:
            tags: keys, as `tag_of` and its like give them.

        Returns:
            Whether the shared level knows of it already; else it is told as soon as it is back.
        """
        tags = list(tags)
        self._generations.forget(tags)  # here at once, whatever becomes of the store
        self.count("invalidated", len(tags))
        if self._store is None:
            return True
        try:
            self._store.bump(tags)
        except Away:
            return False
        finally:
            self._generations.forget(tags)  # nobody has learnt the old one while it was bumped
        return True

    def invalidate_all(self) -> bool:
        """Make everything unreachable; blocks, and never raises."""
        return self.invalidate([key_of(EVERYTHING)])

    def count(self, what: str, by: int = 1) -> None:
        """Count what was found."""
        with self._lock:
            self._counts[what] += by

    def stats(self) -> Mapping[str, Any]:
        """What operators may want to know of this process."""
        with self._lock:
            counts = dict(self._counts)
        store = self._store.stats() if self._store else {"store": "none", "state": "up"}
        return {"looked_up": counts, "memory": self._memory.stats(), "shared": store}

    def away(self) -> str:
        """Why the shared level is not used just now; empty if it is."""
        state = self._store.stats()["state"] if self._store else ""
        return "the store is away: everything is asked of services" if state == "away" else ""

    def entries(self) -> list[dict[str, Any]]:
        """What this process has in memory, the last used first; without anybody's data."""
        now = self.now()
        found = [
            {
                "of": entry.label,
                "status": entry.status,
                "is": judge(entry, now),
                "age": round(max(0.0, now - entry.stored), 1),
                "fresh_for": round(max(0.0, entry.stored + entry.fresh - now), 1),
                "bytes": entry.size,
            }
            for entry in self._memory.entries()
        ]
        return found[::-1]

    def close(self) -> None:
        """End what the store holds."""
        if self._store is not None:
            self._store.close()

    def changed(self, tags: Iterable[str] | None) -> None:
        """Another process has bumped these tags, or some."""
        self._generations.forget(tags)

    def lost(self) -> None:
        """Nothing is heard of other processes any more: nothing in memory can be trusted."""
        self._generations.forget()
        self._memory.clear()
