"""The store that is always there: one SQLite file for all processes of one machine.

The file has to be on a local disk: the processes share memory through a file beside it, which no
network file system can do. One that is deleted or replaced while it is in use is noticed: the store
is away then, until a restart, rather than one process having sessions that another has not.
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
from bff.store.change_marks import Marks
from bff.store.protocol import Entry
from bff.store.recent import Recent
from bff.store.same_file import SameFile
from bff.store.sqlite_file import connected, create, why

_MOST_SEEN: Final = 4096  # entries that a process remembers
_SEEN_FOR: Final = 1.0  # seconds
_LOOK_EVERY: Final = 0.05  # seconds between two looks whether the files are still the same
_VERSION_BYTES: Final = 8
_SWEEP_EVERY: Final = 8  # writes, each of which adds a row at most
_SWEPT: Final = 32  # expired rows that are taken away at once: more than came meanwhile
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_PROBE: Final = ":writable"  # no key of an entry: those begin with a word
_PROBED: Final = 8192  # bytes
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
class _Seen:
    """An entry as it was read, the mark it had before, and until when that is believed.

    A process that was killed between writing and saying so is why it is not believed for longer.
    """

    entry: Entry
    mark: bytes
    until: float


class SqliteStore:
    """Entries and groups in a file, which is made with its folder where it is missing.

    Args:
        path: of the file; only its owner may read it.
        now: seconds since 1970.

    Nothing is opened before it is used, and in the process that uses it: one may be made, and even
    used, before a fork.
    """

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path, self._now = path, now
        self._file = SameFile.of(path)
        self._marks = Marks(path.with_name(f"{path.name}-marks"))
        self._seen: Recent[str, _Seen] = Recent(_MOST_SEEN)
        self._look_at = 0.0  # by the monotonic clock
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
        """What is under `key`, unless it has expired.

        What was read a moment ago, and has been written by nobody since, is not read again.
        """
        seen, now, moment = self._seen.get(key), self._now(), monotonic()
        if moment >= self._look_at:
            self._look(moment)
        if seen and seen.until > moment and seen.mark == self._mark(key):
            return seen.entry if seen.entry.expires > now else None
        mark = self._mark(key)  # before it is read: what is written meanwhile changes it
        with self._connection() as connection:
            row = connection.execute(_GET, (key, now)).fetchone()
        if row is None:
            return None
        entry = Entry(*row)
        self._seen.put(key, _Seen(entry, mark, monotonic() + _SEEN_FOR))
        return entry

    def put(self, key: str, value: bytes, expires: float, replacing: str | None = None) -> str:
        """Write an entry: a new one, or over the version `replacing` and no other."""
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
        """Remove an entry, or only this version of it; whether there was one to remove."""
        try:
            return self._write(_DELETE, (key, self._now(), version)) > 0
        finally:
            self._change(key)

    def add(self, group: str, member: str, expires: float) -> None:
        """Have `member` belong to `group` until it expires."""
        self._write(_ADD, (group, member, expires))

    def discard(self, group: str, member: str) -> None:
        """Have it belong there no more."""
        self._write(_DISCARD, (group, member))

    def members(self, group: str) -> list[str]:
        """What belongs to a group and has not expired."""
        with self._connection() as connection:
            rows = connection.execute(_MEMBERS, (group, self._now())).fetchall()
        return [member for (member,) in rows]

    def unready(self) -> str:
        """Why nothing can be written; empty if it can."""
        try:
            # as much as a session has, and expired: there may be room for a byte and no more
            now = self._now()
            self._write(_CREATE, (_PROBE, bytes(_PROBED), "", now, now))
        except StoreAway as error:
            return str(error)
        return ""

    def remember(self) -> None:
        """Make the file if there is none, and have all that this process forks know it.

        Raises:
            StoreAway: it cannot be made, or used.
        """
        with self._connection():
            pass
        self._file.remember()
        self.close()

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    def _look(self, moment: float) -> None:
        """See that what is believed without reading is still about the files that are there.

        Not each time: a look costs more than all else that such a request asks of the store.
        """
        self._file.check()
        with suppress(OSError):  # `_mark` meets it
            self._marks.look()
        self._look_at = moment + _LOOK_EVERY

    def _mark(self, key: str) -> bytes:
        try:
            return self._marks.of(key)
        except FileNotFoundError:  # without its folder there is no store yet
            return b""
        except OSError as error:
            if error.errno in _NO_ROOM:
                return token_bytes(_VERSION_BYTES)  # the same as no other: all is read anew
            raise StoreAway(why(self._path, error)) from None

    def _change(self, key: str) -> None:
        with suppress(OSError):  # nobody has marks, then
            self._marks.change(key)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile; one that failed is not used again.

        Raises:
            StoreAway: whatever SQLite has to say.
        """
        self._file.check()
        idle = self._of_this_process()
        connection = None
        try:
            with suppress(IndexError):  # none is idle, or somebody was quicker
                connection = idle.pop()
            connection = connection or self._opened()
            yield connection
        except BaseException as error:
            if connection:
                connection.close()  # undoes what it had begun
            if isinstance(error, sqlite3.Error | OSError):
                raise StoreAway(why(self._path, error)) from None
            raise
        idle.append(connection)

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        """How many rows a statement has written.

        Each is a transaction of its own, so that the lock is never held while a thread waits for
        the interpreter. Now and then a little of what has expired is taken away before.
        """
        with self._connection() as connection:
            if next(self._writes) % _SWEEP_EVERY == 0:
                for sweep in _SWEEP:
                    connection.execute(sweep, (self._now(), _SWEPT))
            return connection.execute(statement, values).rowcount

    def _opened(self) -> sqlite3.Connection:
        """A new connection; to a new file only where none was ever used."""
        if not self._file.is_known and not self._path.exists():
            create(self._path)
        connection = connected(self._path)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")  # of the connection, not of the file
            self._file.use()
            self._file.check()  # it may have been replaced between two looks
        except BaseException:
            connection.close()
            raise
        return connection

    def _of_this_process(self) -> deque[sqlite3.Connection]:
        """The idle connections, none of which may be used, nor even closed, after a fork."""
        if self._owner != os.getpid():
            self._inherited.append(self._idle)
            self._idle = deque()
            self._owner = os.getpid()
        return self._idle
