"""Tells all processes of a machine that something was written, by memory that they share.

A mark is random and stands for a group of keys; who writes to one of them changes it, and who reads
can tell that nothing was written since, without reading a file. Where the file of the marks was
deleted or replaced, each process opens the one that is there when it looks.
"""

import mmap
import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from secrets import token_bytes
from threading import Lock
from typing import Final
from zlib import crc32

_GROUPS: Final = 4096
_SIZE: Final = 8  # bytes of a mark: a word, which is read and written whole


@dataclass(frozen=True, slots=True)
class _Opened:
    """A file of marks as this process has it.

    Args:
        identity: its device and inode.
        number: of the files that this process has opened, as a mark begins with it: no mark of one
            file is ever taken for that of another.
    """

    memory: mmap.mmap
    identity: tuple[int, int]
    number: bytes


class Marks:
    """The marks beside one file; opened when first needed, shared by a process and its forks.

    Args:
        path: of the file of the marks, on a local disk.

    Each method raises OSError where the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._numbers = count()
        self._known: _Opened | None = None

    def of(self, key: str) -> bytes:
        """The mark of a key's group as it is now; take it before what it is to vouch for."""
        at, opened = _place(key), self._known or self.look()
        return opened.number + opened.memory[at : at + _SIZE]

    def change(self, key: str) -> None:
        """Say that something was written; after it was."""
        at = _place(key)
        self.look().memory[at : at + _SIZE] = token_bytes(_SIZE)

    def look(self) -> _Opened:
        """Have the file that is there now, which all processes have: not one that was deleted."""
        known = self._known
        if known and known.identity == self._there():
            return known
        with self._lock:
            if self._known is None or self._known.identity != self._there():
                self._known = self._mapped()
            return self._known

    def _there(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _mapped(self) -> _Opened:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # room is reserved: a write to a page that has none would end the process
            os.posix_fallocate(file, 0, _GROUPS * _SIZE)
            found = os.fstat(file)
            memory = mmap.mmap(file, _GROUPS * _SIZE)
        finally:
            os.close(file)
        return _Opened(memory, (found.st_dev, found.st_ino), b"%d:" % next(self._numbers))


def _place(key: str) -> int:
    return crc32(key.encode("utf-8", "surrogatepass")) % _GROUPS * _SIZE
