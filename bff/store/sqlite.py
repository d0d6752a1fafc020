"""The default store: one SQLite file for all processes of one machine.

The file has to be on a local disk: the processes share memory through files beside it (SQLite's
write-ahead log and our version stamps), which does not work on network file systems. A file that is
deleted or replaced while it is in use is detected: the store is away until a restart, rather than
that one process has sessions which another does not have.
"""

import errno
import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from secrets import token_bytes, token_hex
from time import monotonic
from typing import Final

from bff.errors import StoreAway
from bff.store.lru_cache import LruCache
from bff.store.protocol import Entry
from bff.store.same_file import SameFile
from bff.store.sqlite_file import connected, create, why
from bff.store.version_stamps import VersionStamps

_MAX_CACHED: Final = 4096  # entries that a process caches
_CACHED_FOR: Final = 1.0  # seconds
_CHECK_EVERY: Final = 0.05  # seconds between two checks that the files are still the same
_VERSION_BYTES: Final = 8
_SWEEP_EVERY: Final = 8  # writes, each of which adds one row at most
_SWEPT: Final = 32  # expired rows removed by one sweep: more than those writes can have added
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_PROBE: Final = ":writable"  # no key of an entry: those begin with a word
_PROBE_BYTES: Final = 8192
_GET: Final = "SELECT value, version, expires FROM entries WHERE key = ? AND expires > ?"
_CREATE: Final = """
INSERT INTO entries (key, value, version, expires) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE
SET value = excluded.value, version = excluded.version, expires = excluded.expires
WHERE entries.expires <= ?
"""
_REPLACE: Final = """
UPDATE entries SET value = ?, version = ?, expires = ?
WHERE key = ? AND version = ? AND expires > ?
"""
_DELETE: Final = (
    "DELETE FROM entries WHERE key = ? AND expires > ? AND version = ifnull(?, version)"
)
_ADD: Final = """
INSERT INTO members (of, member, expires) VALUES (?, ?, ?)
ON CONFLICT (of, member) DO UPDATE SET expires = excluded.expires
"""
_DISCARD: Final = "DELETE FROM members WHERE of = ? AND member = ?"
_MEMBERS: Final = "SELECT member FROM members WHERE of = ? AND expires > ?"
_SWEEP: Final = (
    "DELETE FROM entries WHERE rowid IN (SELECT rowid FROM entries WHERE expires <= ? LIMIT ?)",
    "DELETE FROM members WHERE rowid IN (SELECT rowid FROM members WHERE expires <= ? LIMIT ?)",
)


@dataclass(frozen=True, slots=True)
class _CachedEntry:
    """An entry as it was read, and the version stamp from before the read.

    Args:
        until: by the monotonic clock. It is bounded since a process may be killed between writing
            an entry and changing its stamp.
    """

    entry: Entry
    stamp: bytes
    until: float


class SqliteStore:
    """Entries and groups in a file, which is created with its folder if it is missing.

    Args:
        path: of the file; only its owner may read it.
        now: seconds since 1970.

    Connections are opened when they are first used, and by the process that uses them: a store may
    be made, and even used, before a fork.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path, self._now = path, now
        self._file = SameFile.of(path)
        self._stamps = VersionStamps(path.with_name(f"{path.name}-marks"))
        self._cached: LruCache[str, _CachedEntry] = LruCache(_MAX_CACHED)
        self._check_at = 0.0  # by the monotonic clock
        self._writes = count()
        self._idle: deque[sqlite3.Connection] = deque()
        self._owner = 0
        self._inherited: list[deque[sqlite3.Connection]] = []

    @classmethod
    def from_url(cls, url: str, now: Callable[[], float]) -> "SqliteStore":
        """The store of an address `sqlite:/absolute/path`.

        Raises:
            ValueError: the path is not absolute.
        """
        path = Path(url.removeprefix("sqlite:"))
        if not path.is_absolute():
            raise ValueError("the address of an SQLite store is `sqlite:/absolute/path`")
        return cls(path, now)

    def get(self, key: str) -> Entry | None:
        """The entry of `key`; None if there is none or it has expired.

        An entry that was read within the last second is not read again, unless its version stamp
        shows that a process may have written it since.
        """
        cached, now, moment = self._cached.get(key), self._now(), monotonic()
        if moment >= self._check_at:
            self._check_files(moment)
        if cached and cached.until > moment and cached.stamp == self._stamp(key):
            return cached.entry if cached.entry.expires > now else None
        stamp = self._stamp(key)  # before the read: a write during the read changes it
        with self._connection() as connection:
            row = connection.execute(_GET, (key, now)).fetchone()
        if row is None:
            return None
        entry = Entry(*row)
        self._cached.put(key, _CachedEntry(entry, stamp, monotonic() + _CACHED_FOR))
        return entry

    def put(self, key: str, value: bytes, expires: float, replacing: str | None = None) -> str:
        """Create an entry, or replace exactly the version `replacing`; see `Store`."""
        version, now = token_hex(_VERSION_BYTES), self._now()
        try:
            if replacing is None:
                written = self._write(_CREATE, (key, value, version, expires, now))
            else:
                written = self._write(_REPLACE, (value, version, expires, key, replacing, now))
        finally:
            self._change(key)
        return version if written else ""

    def delete(self, key: str, version: str | None = None) -> bool:
        """Remove an entry, or only this version of it; True if it was removed."""
        try:
            return self._write(_DELETE, (key, self._now(), version)) > 0
        finally:
            self._change(key)

    def add(self, group: str, member: str, expires: float) -> None:
        """Add a member to a group until it expires."""
        self._write(_ADD, (group, member, expires))

    def discard(self, group: str, member: str) -> None:
        """Remove a member from a group."""
        self._write(_DISCARD, (group, member))

    def members(self, group: str) -> list[str]:
        """The members of a group that have not expired."""
        with self._connection() as connection:
            rows = connection.execute(_MEMBERS, (group, self._now())).fetchall()
        return [member for (member,) in rows]

    def unready(self) -> str:
        """Why the store cannot be written; empty if it can."""
        try:
            # of the size of a session, and expired: a full disk may still have room for a byte
            now = self._now()
            self._write(_CREATE, (_PROBE, bytes(_PROBE_BYTES), "", now, now))
        except StoreAway as error:
            return str(error)
        return ""

    def remember(self) -> None:
        """Create the file if there is none, and make it known to all processes that this one forks.

        Raises:
            StoreAway: it cannot be created, or used.
        """
        with self._connection():
            pass
        self._file.remember()
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _check_files(self, moment: float) -> None:
        """Check that cached entries are of the files that exist now.

        Every 50 ms only: two calls of stat() cost more than a read from the cache.
        """
        self._file.check()
        with suppress(OSError):  # `_stamp` handles it
            self._stamps.check_file()
        self._check_at = moment + _CHECK_EVERY

    def _stamp(self, key: str) -> bytes:
        try:
            return self._stamps.get(key)
        except FileNotFoundError:  # the folder does not exist, so the store is empty
            return b""
        except OSError as error:
            if error.errno in _NO_ROOM:
                return token_bytes(_VERSION_BYTES)  # equal to no other: every read is a real one
            raise StoreAway(why(self._path, error)) from None

    def _change(self, key: str) -> None:
        with suppress(OSError):  # no process has stamps, then
            self._stamps.change(key)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection for exclusive use; after an error it is closed and not reused.

        Raises:
            StoreAway: for any error of SQLite or the file system.
        """
        self._file.check()
        idle = self._of_this_process()
        connection = None
        try:
            with suppress(IndexError):  # none is idle, or another thread took it
                connection = idle.pop()
            connection = connection or self._opened()
            yield connection
        except BaseException as error:
            if connection:
                connection.close()  # rolls back an open transaction
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreAway(why(self._path, error)) from None
            raise
        idle.append(connection)

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        """The number of rows that a statement has written.

        Each statement is a transaction of its own, so that the database lock is never held while a
        thread waits for the interpreter lock. Every eighth write removes some expired rows first.
        """
        with self._connection() as connection:
            if next(self._writes) % _SWEEP_EVERY == 0:
                for sweep in _SWEEP:
                    connection.execute(sweep, (self._now(), _SWEPT))
            return connection.execute(statement, values).rowcount

    def _opened(self) -> sqlite3.Connection:
        """A new connection; a file is created only if none was used before."""
        if not self._file.is_known and not self._path.exists():
            create(self._path)
        connection = connected(self._path)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")  # per connection, not per file
            self._file.use()
            self._file.check()  # it may have been replaced between `exists` and `connected`
        except BaseException:
            connection.close()
            raise
        return connection

    def _of_this_process(self) -> deque[sqlite3.Connection]:
        """The idle connections of this process.

        Those inherited by a fork may be neither used nor closed, as SQLite's documentation says.
        """
        if self._owner != os.getpid():
            self._inherited.append(self._idle)
            self._idle = deque()
            self._owner = os.getpid()
        return self._idle
