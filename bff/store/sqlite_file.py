"""The file of the SQLite store: its schema, creation, connections and error messages."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_BUSY: Final = 1.0  # seconds that a write waits for the database lock
_BESIDE: Final = ("-wal", "-shm")  # SQLite's own files: write-ahead log and shared memory
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SCHEMA: Final = """
CREATE TABLE entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, version TEXT NOT NULL, expires REAL NOT NULL
);
CREATE TABLE members (
    of TEXT NOT NULL, member TEXT NOT NULL, expires REAL NOT NULL, PRIMARY KEY (of, member)
);
CREATE INDEX entries_expire ON entries (expires);
CREATE INDEX members_expire ON members (expires);
"""


def create(path: Path) -> None:
    """Create the file atomically: several processes may start at the same time.

    It is made in a temporary folder and then linked to its place, so that no process sees a file
    without its tables.

    Raises:
        OSError, sqlite3.Error: it cannot be created.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _exclusive_lock(path.parent), TemporaryDirectory(dir=path.parent, prefix="new-") as folder:
        if path.exists():
            return  # another process has created it
        for suffix in _BESIDE:  # SQLite would replay an old log into the new file
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        made = Path(folder) / path.name
        made.touch(mode=0o600)  # files that SQLite creates may be readable by other users
        with closing(connected(made)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        path.hardlink_to(made)


@contextmanager
def _exclusive_lock(folder: Path) -> Iterator[None]:
    """Keep other processes from creating the same file at the same time."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flock(handle, LOCK_EX)
        yield
    finally:
        os.close(handle)  # releases it


def connected(path: Path) -> sqlite3.Connection:
    """A connection to an existing file; may be used by one thread at a time.

    Raises:
        sqlite3.Error: it does not exist, or cannot be opened.
    """
    place = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(
        place, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False
    )


def why(path: Path, error: sqlite3.Error | OSError) -> str:
    """A message for operators about an error with the file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return (
            f"{path} is damaged or not an SQLite file: stop bff, remove it; all users sign in again"
        )
    return f"{path}: {error}"
