"""The store of sessions: what any of them can do, whatever it is made of.

A store knows nothing of sessions: it keeps bytes under keys until they expire, replaces them only
where they are still what was read, and lists what belongs together.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """What a store has under a key.

    Args:
        version: made anew by every write, and never used twice: compare-and-set goes by it.
        expires: seconds since 1970, after which the entry is as good as gone.
    """

    value: bytes
    version: str
    expires: float


class Store(Protocol):
    """Keeps entries for every process of a deployment.

    Each method may block, for a short bounded time, and raises `StoreAway` where the store cannot
    be reached or asked. After that a write may have happened, or not: whoever must know reads.
    """

    def get(self, key: str) -> Entry | None:
        """What is under `key`, unless it has expired."""

    def put(self, key: str, value: bytes, expires: float, replacing: str | None = None) -> str:
        """Write an entry: a new one, or over the version `replacing` and no other.

        Args:
            expires: seconds since 1970.
            replacing: the version that was read; None where nothing may be there yet.

        Returns:
            The new version; empty where something else is there, and nothing was written.
        """

    def delete(self, key: str, version: str | None = None) -> bool:
        """Remove an entry, or only this version of it; whether there was one to remove."""

    def add(self, group: str, member: str, expires: float) -> None:
        """Have `member` belong to `group` until it expires, in seconds since 1970."""

    def discard(self, group: str, member: str) -> None:
        """Have it belong there no more."""

    def members(self, group: str) -> list[str]:
        """What belongs to a group and has not expired, in no order."""

    def close(self) -> None:
        """Let go of connections that are not in use; it can be used again."""

    def unready(self) -> str:
        """Why the store is of no use just now, or not safe to use; empty if it is fine."""
