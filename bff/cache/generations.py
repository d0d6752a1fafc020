"""What a process knows of the generations of tags: bumping one makes all under it unreachable.

Nothing is scanned or deleted: an entry's address holds the generations of its tags, and nobody
looks where they no longer lead.
"""

from collections.abc import Iterable, Mapping
from secrets import token_hex
from threading import Lock
from typing import Final

from bff.cache.key import is_structural
from bff.store.lru_cache import LruCache

_MOST: Final = (
    50_000  # declared tags known at once: what is under one that is evicted is loaded anew
)


class Generations:
    """Generations by the keys of tags; `changes` counts what was heard of other generations.

    Each entry is under the tag of everything and that of its view or service. These are as many as
    the configuration has, and are never evicted: without its generation nothing under a tag is
    found. Of all others, those are evicted that were used longest ago.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._structural: dict[str, str] = {}
        self._declared: LruCache[str, str] = LruCache(_MOST)
        self._changes = 0

    @property
    def changes(self) -> int:
        """A number that is another one after each change that was heard of."""
        return self._changes

    def known(self, tags: Iterable[str]) -> tuple[str, ...] | None:
        """The generations of `tags`; None if one is not known."""
        found = []
        for tag in tags:
            generation = self._get(tag)
            if generation is None:
                return None
            found.append(generation)
        return tuple(found)

    def own(self, tags: Iterable[str]) -> tuple[str, ...]:
        """The generations of `tags`, made up where there is nobody to ask."""
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
        """Take in what the store said, unless something has changed since it was asked.

        Args:
            since: `changes` from before it was asked.

        Returns:
            Whether what was read still counts.
        """
        with self._lock:
            if self._changes != since:
                return False
            for tag, generation in read.items():
                self._put(tag, generation)
            return True

    def forget(self, tags: Iterable[str] | None = None) -> None:
        """Know no more of these tags, or of any: they have changed, or may have."""
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
