"""A lock that processes share: whoever holds it says so again and again, or loses it.

It keeps others from doing the same work meanwhile. What must never happen twice is decided by
compare-and-set on what the work writes: a holder that slept too long learns of its loss too late.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Self

from bff.errors import BffError, StoreAway
from bff.store.protocol import Store


class LockLost(BffError):
    """It had expired, and may be somebody else's by now."""


class Lock:
    """One holding of a lock: made by `acquire`, over with `release` or the end of a `with`."""

    def __init__(
        self, store: Store, name: str, seconds: float, now: Callable[[], float], version: str
    ) -> None:
        self._store, self._name, self._seconds, self._now = store, name, seconds, now
        self._version = version

    @classmethod
    def acquire(
        cls, store: Store, name: str, seconds: float, now: Callable[[], float]
    ) -> "Lock | None":
        """Take the lock if nobody has it; it does not wait.

        Args:
            seconds: how long it lasts, unless it is renewed.
            now: seconds since 1970.

        Raises:
            StoreAway: nobody can say whether it is taken.
        """
        version = store.put(_key(name), b"", now() + seconds)
        return cls(store, name, seconds, now, version) if version else None

    def renew(self) -> None:
        """Hold it for its seconds again, from now.

        Raises:
            LockLost: it is not ours any more, and never will be again.
            StoreAway: nobody can say; it lasts for as long as it did.
        """
        expires = self._now() + self._seconds
        version = self._version and self._store.put(_key(self._name), b"", expires, self._version)
        self._version = version
        if not version:
            raise LockLost("the lock had expired before it was renewed")

    def release(self) -> None:
        """Let somebody else have it; what is not ours any more stays as it is.

        A store that is away is no error here: the work is done, and the lock will expire.
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
