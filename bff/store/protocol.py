"""The interface of a store: entries with compare-and-set and expiry, and groups of names.

A store knows nothing about sessions. An entry is bytes under a key; a write replaces exactly the
version that was read. A group is a set of names, such as the sessions of one user.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored value with its version.

    Args:
        version: a random identifier of the write, never reused; compare-and-set compares it.
        expires: seconds since 1970, after which the entry is not found any more.
    """

    value: bytes
    version: str
    expires: float


class Store(Protocol):
    """Entries and groups that all processes of a deployment share.

    Each method may block for a short, bounded time, and raises `StoreAway` if the store cannot be
    reached. A write may have happened or not in that case: read to find out.
    """

    def get(self, key: str) -> Entry | None:
        """The entry of `key`; None if there is none or it has expired."""

    def put(self, key: str, value: bytes, expires: float, replacing: str | None = None) -> str:
        """Create an entry, or replace exactly the version `replacing` (compare-and-set).

        Args:
            expires: seconds since 1970.
            replacing: the version that was read; None to create, if there is no entry yet.

        Returns:
            The new version; empty if the comparison failed and nothing was written.
        """

    def delete(self, key: str, version: str | None = None) -> bool:
        """Remove an entry, or only this version of it; True if it was removed."""

    def add(self, group: str, member: str, expires: float) -> None:
        """Add a member to a group until `expires`, in seconds since 1970."""

    def discard(self, group: str, member: str) -> None:
        """Remove a member from a group."""

    def members(self, group: str) -> list[str]:
        """The members of a group that have not expired, in no order."""

    def close(self) -> None:
        """Close idle connections; the store can be used again."""

    def unready(self) -> str:
        """Why the store cannot be used, or not safely; empty if it is ready."""
