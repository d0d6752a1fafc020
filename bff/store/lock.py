"""A distributed lock with a lease: the holder renews it, or it expires.

It keeps other processes from doing the same work at the same time. It does not guarantee that: a
holder that was suspended for longer than its lease continues without knowing that the lock expired.
What must never happen twice is therefore decided by compare-and-set on what the work writes, as
with fencing tokens.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Self

from bff.errors import BffError, StoreAway
from bff.store.protocol import Store


class LockLost(BffError):
    """The lock expired before it was renewed, and another process may hold it."""


class Lock:
    """A held lock: `acquire` makes one, `release` or the end of a `with` block ends it."""

    def __init__(
        self, store: Store, name: str, seconds: float, now: Callable[[], float], version: str
    ) -> None:
        self._store, self._name, self._seconds, self._now = store, name, seconds, now
        self._version = version

    @classmethod
    def acquire(
        cls, store: Store, name: str, seconds: float, now: Callable[[], float]
    ) -> "Lock | None":
        """Acquire the lock without waiting; None if it is held.

        Args:
            seconds: the lease: how long it is held unless it is renewed.
            now: seconds since 1970.

        Raises:
            StoreAway: the store cannot be asked.
        """
        version = store.put(_key(name), b"", now() + seconds)
        return cls(store, name, seconds, now, version) if version else None

    def renew(self) -> None:
        """Extend the lease to its full length from now.

        Raises:
            LockLost: the lock had expired; this object does not hold it again.
            StoreAway: the store cannot be asked; the lease is unchanged.
        """
        expires = self._now() + self._seconds
        version = self._version and self._store.put(_key(self._name), b"", expires, self._version)
        self._version = version
        if not version:
            raise LockLost("the lock had expired before it was renewed")

    def release(self) -> None:
        """Release the lock, unless it was lost.

        A store that is away is no error here: the work is done, and the lock expires.
        """
        version, self._version = self._version, ""
        if version:
            with suppress(StoreAway):
                self._store.delete(_key(self._name), version)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _key(name: str) -> str:
    return f"lock:{name}"
