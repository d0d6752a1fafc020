"""Generations of tags: an entry becomes unreachable when one of its tags gets a new generation.

The address of an entry is made of the generations of its tags. So an invalidation scans and deletes
nothing: lookups use another address from then on, and the entry expires unused.
"""

from collections.abc import Iterable, Mapping
from secrets import token_hex
from threading import Lock
from typing import Final

from bff.cache.key import is_structural
from bff.store.lru_cache import LruCache

_MAX_TAGS: Final = 50_000  # declared tags; entries under an evicted tag are fetched again


class Generations:
    """The generations that this process knows, by the keys of tags.

    Without the generation of a tag no entry under it can be found. All entries are under the tag of
    everything and under that of their view or service: these are bounded by the configuration, and
    are never evicted. Declared tags are evicted, least recently used first.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._structural: dict[str, str] = {}
        self._declared: LruCache[str, str] = LruCache(_MAX_TAGS)
        self._changes = 0

    @property
    def changes(self) -> int:
        """A number that changes with each invalidation that this process learns of."""
        return self._changes

    def known(self, tags: Iterable[str]) -> tuple[str, ...] | None:
        """The generations of tags; None if one of them is not known."""
        found = []
        for tag in tags:
            generation = self._get(tag)
            if generation is None:
                return None
            found.append(generation)
        return tuple(found)

    def own(self, tags: Iterable[str]) -> tuple[str, ...]:
        """The generations of tags, made where not known: for a cache without a shared store."""
        with self._lock:
            found = []
            for tag in tags:
                generation = self._get(tag)
                if generation is None:
                    generation = token_hex(8)
                    self._put(tag, generation)
                found.append(generation)
            return tuple(found)

    def learn(self, read: Mapping[str, str], since: int) -> bool:
        """Remember generations that were read from the store, unless they may be outdated.

        Args:
            since: the value of `changes` before the store was read.

        Returns:
            Whether they were remembered; False after an invalidation since then.
        """
        with self._lock:
            if self._changes != since:
                return False
            for tag, generation in read.items():
                self._put(tag, generation)
            return True

    def forget(self, tags: Iterable[str] | None = None) -> None:
        """Forget the generations of these tags, or of all: they have changed, or may have."""
        with self._lock:
            self._changes += 1
            if tags is None:
                self._structural.clear()
                self._declared.clear()
                return
            for tag in tags:
                self._structural.pop(tag, None)
                self._declared.pop(tag)

    def _get(self, tag: str) -> str | None:
        return self._structural.get(tag) or self._declared.get(tag)

    def _put(self, tag: str, generation: str) -> None:
        if is_structural(tag):
            self._structural[tag] = generation
        else:
            self._declared.put(tag, generation)
