"""The cache's store in files, shared by the processes of one machine."""

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from secrets import randbelow
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeVar

from flask_caching.backends.filesystemcache import FileSystemCache

from bff.cache.entry import CacheEntry
from bff.cache.serializer import PlainSerializer
from bff.cache.store import BackendStore, StoreListener, StoreUnavailable

_MAX_FILES: Final = 20_000
_SKIPPED: Final = 1.0  # seconds that a store is skipped after an error
_SPACE: Final = "bff1:"
_GONE: Final = (-1, -1)
_TIMES: Final = 2**32 * 10**9  # nanoseconds that every file system can store
Result = TypeVar("Result")
_log: Final = logging.getLogger("bff")


class _Files(FileSystemCache):
    serializer: Any = PlainSerializer()


class FileStore:
    """Files in one folder, and a marker file by which processes detect invalidations.

    1. Each invalidation appends a byte to the marker. Every look-up compares its size and mtime
       (one stat(), a microsecond): if they differ, the process drops the generations it knows.
    2. The disk is full: the generations are deleted, and the marker gets a random mtime. Neither
       needs space.
    """

    def __init__(
        self, folder: Path, listener: StoreListener, now: Callable[[], float] = monotonic
    ) -> None:
        self._folder, self._listener, self._now = folder, listener, now
        self._marker = folder / "changes"
        self._name = str(self._marker)
        self._lock = Lock()
        self._backed: BackendStore | None = None
        self._seen = _GONE
        self._skipped_until = 0.0
        self._failures = 0
        self._pending: set[str] = set()  # invalidated here while nothing could be written

    def ready(self) -> bool:
        """Whether it can be used; checks first for invalidations by other processes."""
        if self._now() < self._skipped_until:
            return False
        if self._backed is not None:
            self._check_marker()
        return True

    def await_ready(self) -> bool:
        """The same: files need no connection."""
        return self.ready()

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """See `SharedStore`."""
        found = self._use(lambda backed: backed.generations(tags))
        self._check_marker()
        return found

    def get(self, address: str) -> CacheEntry | None:
        """See `SharedStore`."""
        return self._use(lambda backed: backed.get(address))

    def put(self, address: str, entry: CacheEntry) -> None:
        """See `SharedStore`."""
        self._use(lambda backed: backed.put(address, entry))

    def bump(self, tags: Iterable[str]) -> None:
        """See `SharedStore`."""
        with self._lock:
            self._pending.update(tags)
        self._skipped_until = 0.0  # or other processes would serve stale entries for a second
        self._use(lambda _: None)

    def stats(self) -> dict[str, Any]:
        """State, and number of errors."""
        state = "up" if self._now() >= self._skipped_until else "away"
        return {"store": "file", "state": state, "failures": self._failures}

    def close(self) -> None:
        """Nothing is held open."""

    def _use(self, operation: Callable[[BackendStore], Result]) -> Result:
        if self._now() < self._skipped_until:
            raise StoreUnavailable("the folder could not be used a moment ago")
        try:
            backed = self._open()
            if self._pending:
                self._publish(backed)
            return operation(backed)
        except OSError as error:
            self._skipped_until = self._now() + _SKIPPED
            self._failures += 1
            self._listener.lost()
            _log.warning("the cache's folder cannot be used: %s", type(error).__name__)
            raise StoreUnavailable(str(error)) from None

    def _open(self) -> BackendStore:
        with self._lock:
            if self._backed is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._marker.touch(mode=0o600)
                self._seen = self._state()
                files = _Files(str(self._folder / "entries"), threshold=_MAX_FILES)
                self._backed = BackendStore(files, _SPACE)
            return self._backed

    def _publish(self, backed: BackendStore) -> None:
        """Carry out pending invalidations, before any other operation."""
        with self._lock:
            pending = set(self._pending)
        try:
            backed.bump(pending)
            with self._marker.open("ab") as marker:
                marker.write(b".")
        except OSError:
            backed.drop(pending)
            moment = randbelow(_TIMES)
            os.utime(self._marker, ns=(moment, moment))
        with self._lock:
            self._pending -= pending

    def _check_marker(self) -> None:
        state = self._state()
        if state != self._seen:
            self._listener.changed(None)
            self._seen = state  # afterwards: a thread that sees no difference may rely on it
            if state == _GONE:
                self._backed = None

    def _state(self) -> tuple[int, int]:
        try:
            found = os.stat(self._name)  # noqa: PTH116 - every look-up does, and Path is slow
        except OSError:  # the folder was removed, with all entries
            return _GONE
        return found.st_size, found.st_mtime_ns
