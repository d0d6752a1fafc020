"""Tells all processes of a machine that something was written, by memory that they share.

A mark is random and stands for a group of keys; who writes to one of them changes it, and who reads
can tell that nothing was written since, without a system call.
"""

import mmap
import os
from pathlib import Path
from secrets import token_bytes
from threading import Lock
from typing import Final
from zlib import crc32

_GROUPS: Final = 4096
_SIZE: Final = 8  # bytes of a mark: a word, which is read and written whole


class Marks:
    """The marks beside one file; opened when first needed, shared by a process and its forks.

    Args:
        path: of the file of the marks, on a local disk.

    Each method raises OSError where the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._memory: mmap.mmap | None = None

    def of(self, key: str) -> bytes:
        """The mark of a key's group as it is now; take it before what it is to vouch for."""
        at = _place(key)
        return (self._memory or self._opened())[at : at + _SIZE]

    def change(self, key: str) -> None:
        """Say that something was written; after it was."""
        at = _place(key)
        (self._memory or self._opened())[at : at + _SIZE] = token_bytes(_SIZE)

    def _opened(self) -> mmap.mmap:
        with self._lock:
            if self._memory is None:
                file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    # room is reserved: a write to a page that has none would end the process
                    os.posix_fallocate(file, 0, _GROUPS * _SIZE)
                    self._memory = mmap.mmap(file, _GROUPS * _SIZE)
                finally:
                    os.close(file)
            return self._memory


def _place(key: str) -> int:
    return crc32(key.encode("utf-8", "surrogatepass")) % _GROUPS * _SIZE
