"""What a process knows of the generations of tags: bumping one makes all under it unreachable.

Nothing is scanned or deleted: an entry's address holds the generations of its tags, and nobody
looks where they no longer lead.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from secrets import token_hex
from threading import Lock
from typing import Final

_MOST: Final = 50_000  # tags known at once; one that is forgotten is read from the store again


class Generations:
    """Generations by the keys of tags; `changes` counts what was heard of other generations."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: OrderedDict[str, str] = OrderedDict()
        self._changes = 0

    @property
    def changes(self) -> int:
        """A number that is another one after each change that was heard of."""
        return self._changes

    def known(self, tags: Iterable[str]) -> tuple[str, ...] | None:
        """The generations of `tags`; None if one is not known."""
        found = []
        for tag in tags:
            generation = self._known.get(tag)
            if generation is None:
                return None
            found.append(generation)
        return tuple(found)

    def own(self, tags: Iterable[str]) -> tuple[str, ...]:
        """The generations of `tags`, made up where there is nobody to ask."""
        with self._lock:
            found = []
            for tag in tags:
                if tag not in self._known:
                    self._known[tag] = token_hex(8)
                found.append(self._known[tag])
            self._bound()
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
            self._known.update(read)
            self._bound()
            return True

    def forget(self, tags: Iterable[str] | None = None) -> None:
        """Know no more of these tags, or of any: they have changed, or may have."""
        with self._lock:
            self._changes += 1
            if tags is None:
                self._known.clear()
                return
            for tag in tags:
                self._known.pop(tag, None)

    def _bound(self) -> None:
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
