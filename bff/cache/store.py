"""The level that processes share: entries and generations, through flask-caching's backends."""

from collections.abc import Iterable
from secrets import token_hex
from typing import Any, Final, Protocol

from bff.cache.entry import Entry, decode, encode
from bff.cache.key import is_structural

# How long a generation is remembered: longer than anything that is kept under it. One that is
# forgotten all the same (evicted, or lost in a restart) becomes a new one, never an old one.
_GENERATION_LASTS: Final = 30 * 24 * 3600
# Of the tags that everything is under: a store that is full evicts what expires soonest.
_STRUCTURAL_LASTS: Final = 365 * 24 * 3600
_LONGEST: Final = 7 * 24 * 3600.0


class Listener(Protocol):
    """Who hears of what other processes do to a store."""

    def changed(self, tags: Iterable[str] | None) -> None:
        """These tags have new generations; None: some have."""

    def lost(self) -> None:
        """Anything may have changed, and may go on to, unheard."""


class Away(Exception):
    """The store cannot be used just now; whoever meets this goes on without it."""


class Store(Protocol):
    """What a level behind the memory can do. All but `ready` may block, each within its bound."""

    def ready(self) -> bool:
        """Whether it is worth asking; never blocks. False also while it is said to be away."""

    def await_ready(self) -> bool:
        """The same, after a short wait where it was never tried before."""

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """The generations of tags; raises Away."""

    def get(self, address: str) -> Entry | None:
        """An entry; raises Away."""

    def put(self, address: str, entry: Entry) -> None:
        """Keep an entry; raises Away."""

    def bump(self, tags: Iterable[str]) -> None:
        """Give tags new generations, and tell every process; raises Away."""

    def stats(self) -> dict[str, Any]:
        """What operators may want to know."""

    def close(self) -> None:
        """End its threads and connections."""


class Backed:
    """Entries and generations in one of flask-caching's backends.

    Args:
        backend: such a backend, whose values are bytes (`PlainSerializer`).
        space: what all keys begin with: what was kept in another space is not there.
    """

    def __init__(self, backend: Any, space: str) -> None:
        self._backend, self._space = backend, space

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """The generations of tags; one that has none gets one."""
        return {tag: self._generation(tag) for tag in tags}

    def get(self, address: str) -> Entry | None:
        """An entry; None if there is none, or what is there is none."""
        return decode(self._backend.get(f"{self._space}e:{address}"))

    def put(self, address: str, entry: Entry) -> None:
        """Keep an entry for as long as it is of use."""
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
        """Forget the generations of tags, which needs no room: whoever looks next makes new ones.

        Raises:
            OSError: one is still there.
        """
        for tag in tags:
            key = f"{self._space}g:{tag}"
            self._backend.delete(key)
            if self._backend.get(key) is not None:
                raise OSError("the generation was not removed")

    def probe(self) -> None:
        """Write something; raises whatever the backend does where it takes no writes."""
        if not self._backend.set(f"{self._space}writable", b"1", timeout=1):
            raise OSError("it takes no writes")

    def _generation(self, tag: str) -> str:
        key = f"{self._space}g:{tag}"
        found = self._backend.get(key)
        if not isinstance(found, bytes):
            new = token_hex(8).encode()
            # of two processes that find none the first one's counts, for both
            self._backend.add(key, new, timeout=_lasts(tag))
            found = self._backend.get(key)
            found = found if isinstance(found, bytes) else new
        return found.decode("ascii", "replace")


def _lasts(tag: str) -> int:
    """Seconds for which the generation of a tag is remembered."""
    return _STRUCTURAL_LASTS if is_structural(tag) else _GENERATION_LASTS
