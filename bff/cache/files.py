"""A shared store in files, for the processes of one machine."""

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
_SKIPPED: Final = 1.0  # seconds after a failure in which the store is not tried
_SPACE: Final = "bff1:"
_GONE: Final = (-1, -1)
_TIMES: Final = 2**32 * 10**9  # nanoseconds since 1970 that all file systems can store
Result = TypeVar("Result")
_log: Final = logging.getLogger("bff")


class _Files(FileSystemCache):
    serializer: Any = PlainSerializer()


class FileStore:
    """Entries in files below one folder, and a marker file beside them.

    Each invalidation appends to the marker. By its length and modification time a process learns of
    the invalidations of others: reading them takes a microsecond, so each lookup does. Where the
    disk is full, nothing can be appended: then the generations are removed and the marker gets a
    random modification time, neither of which takes room.
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
        self._pending: set[str] = set()  # tags invalidated here that are not written yet

    def ready(self) -> bool:
        """See `SharedStore`; reads the invalidations of other processes first."""
        if self._now() < self._skipped_until:
            return False
        if self._backed is not None:
            self._listen()
        return True

    def await_ready(self) -> bool:
        """The same: files need no connection."""
        return self.ready()

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """See `SharedStore`."""
        found = self._ask(lambda backed: backed.generations(tags))
        self._listen()
        return found

    def get(self, address: str) -> CacheEntry | None:
        """See `SharedStore`."""
        return self._ask(lambda backed: backed.get(address))

    def put(self, address: str, entry: CacheEntry) -> None:
        """See `SharedStore`."""
        self._ask(lambda backed: backed.put(address, entry))

    def bump(self, tags: Iterable[str]) -> None:
        """See `SharedStore`."""
        with self._lock:
            self._pending.update(tags)
        self._skipped_until = 0.0  # other processes would answer outdated entries until then
        self._ask(lambda _: None)

    def stats(self) -> dict[str, Any]:
        """Figures for operators."""
        state = "up" if self._now() >= self._skipped_until else "away"
        return {"store": "file", "state": state, "failures": self._failures}

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def _ask(self, question: Callable[[BackendStore], Result]) -> Result:
        if self._now() < self._skipped_until:
            raise StoreUnavailable("the folder could not be used a moment ago")
        try:
            backed = self._open()
            if self._pending:
                self._write_pending(backed)
            return question(backed)
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

    def _write_pending(self, backed: BackendStore) -> None:
        """Invalidate the pending tags, before anything is read."""
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

    def _listen(self) -> None:
        state = self._state()
        if state != self._seen:
            self._listener.changed(None)
            self._seen = state  # after the listener: a thread that sees no change relies on it
            if state == _GONE:
                self._backed = None

    def _state(self) -> tuple[int, int]:
        try:
            found = os.stat(self._name)  # noqa: PTH116 - each lookup does this, and Path is slow
        except OSError:  # the folder was removed, with all entries
            return _GONE
        return found.st_size, found.st_mtime_ns
