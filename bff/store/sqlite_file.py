"""The file of the SQLite store: how it is made, opened, and what is wrong with it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

_BUSY: Final = 1.0  # seconds that a write waits for those of others
_BESIDE: Final = ("-wal", "-shm")  # SQLite's own files beside one
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
    """Make the file, whole from the first moment: several processes may begin at once.

    Raises:
        OSError, sqlite3.Error: it cannot be made.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone_in(path.parent), TemporaryDirectory(dir=path.parent, prefix="new-") as folder:
        if path.exists():
            return  # another process was quicker
        for suffix in _BESIDE:  # SQLite would read an old log into the new file
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        made = Path(folder) / path.name
        made.touch(mode=0o600)  # what SQLite makes may be read by others
        with closing(connected(made)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)
        path.hardlink_to(made)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other processes from making the same file meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flock(handle, LOCK_EX)
        yield
    finally:
        os.close(handle)  # releases it


def connected(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there.

    Raises:
        sqlite3.Error: it is not, or cannot be opened.
    """
    place = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(
        place, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False
    )


def why(path: Path, error: sqlite3.Error | OSError) -> str:
    """What is wrong with a file, in words for those who run the service."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return f"{path} is damaged, or no SQLite file: stop, remove it, start; all sign in again"
    return f"{path}: {error}"
