"""Temporary folders of one run of the master: locked while it runs, removed by a later run.

A master that is killed removes nothing, but the kernel releases its file locks. So the next start
can tell its folders from those of running masters, even in other containers or with a reused pid.
"""

import fcntl
import os
import shutil
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from time import time
from typing import Final

_PREFIX: Final = "bff-run-"
_GRACE: Final = 60.0  # seconds in which a new folder may not be locked yet

_locks: list[int] = []  # held until the last process of this run has ended


def run_folder(what: str, place: str | None = None) -> Path:
    """Make a folder of this run, which a later run removes if this one does not.

    Args:
        what: its purpose, which is part of its name.
        place: the parent folder; that of temporary files if None.
    """
    folder = Path(mkdtemp(prefix=f"{_PREFIX}{what}-{os.getpid()}-", dir=place))
    lock = _try_lock(folder)
    if lock is not None:
        _locks.append(lock)
    return folder


def is_of_this_run(folder: str) -> bool:
    """True if this process has made a folder, not a process that it has replaced."""
    name = Path(folder).name
    return name.startswith(_PREFIX) and name.split("-")[3:4] == [str(os.getpid())]


def sweep_folders(place: str | None = None) -> None:
    """Remove the folders of runs that have ended; errors are ignored.

    Args:
        place: the parent folder; that of temporary files if None.
    """
    for folder in Path(place or gettempdir()).glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
        except OSError:
            continue
        if found.st_uid != os.getuid() or time() - found.st_mtime < _GRACE:
            continue
        lock = _try_lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _try_lock(folder: Path) -> int | None:
    """Lock a folder; returns the descriptor that holds the lock, or None if it is locked."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock
