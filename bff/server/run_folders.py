"""Folders that one run of a master has in memory and temp: locked while it lives, swept when dead.

A master that is killed removes nothing. The kernel gives its locks up, so the next start can tell
its folders from those of masters that run, also in other containers and whatever has its pid now.
"""

import fcntl
import os
import shutil
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from time import time
from typing import Final

_PREFIX: Final = "bff-run-"
_YOUNG: Final = 60.0  # seconds in which a folder may not be locked yet

_locks: list[int] = []  # held until the last process of this run has ended


def run_folder(what: str, place: str | None = None) -> Path:
    """A new folder of this run, which is swept by a later one if this one does not remove it.

    Args:
        what: it is for, in its name.
        place: where; the system's folder for temporary files if None.
    """
    folder = Path(mkdtemp(prefix=f"{_PREFIX}{what}-{os.getpid()}-", dir=place))
    lock = _locked(folder)
    if lock is not None:
        _locks.append(lock)
    return folder


def is_of_this_run(folder: str) -> bool:
    """Whether this very process has made a folder, and not one that it took over from."""
    name = Path(folder).name
    return name.startswith(_PREFIX) and name.split("-")[3:4] == [str(os.getpid())]


def sweep_folders(place: str | None = None) -> None:
    """Remove the folders of runs that have ended; what cannot be removed is left.

    Args:
        place: where; the system's folder for temporary files if None.
    """
    for folder in Path(place or gettempdir()).glob(f"{_PREFIX}*"):
        try:
            found = folder.lstat()
        except OSError:
            continue
        if found.st_uid != os.getuid() or time() - found.st_mtime < _YOUNG:
            continue
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """The descriptor that holds the folder's lock; None if another process has it."""
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
