"""Version stamps in shared memory: they show whether any process has written a key.

Every key belongs to one of 4096 groups (its CRC-32), and each group has a random stamp of 8 bytes
in a memory-mapped file. A writer changes the stamp of its group after it has written. A reader that
finds the stamp unchanged may use the entry that it has in memory, without reading the database:

    stamp = stamps.get(key)      # before the entry is read
    entry = read(key)
    ...
    if stamps.get(key) == stamp: # nothing in this group was written since
        use(entry)

Where the file was deleted or replaced, each process opens the new one at its next check.
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
_SIZE: Final = 8  # bytes of a stamp: a machine word, which is read and written atomically


@dataclass(frozen=True, slots=True)
class _MappedFile:
    """A file of stamps as this process has mapped it.

    Args:
        identity: its device and inode.
        number: counts the files that this process has mapped. It is the prefix of every stamp, so
            that the stamps of two files are never equal.
    """

    memory: mmap.mmap
    identity: tuple[int, int]
    number: bytes


class VersionStamps:
    """The stamps in one file; mapped when it is first needed, shared by a process and its forks.

    Args:
        path: of the file, on a local disk.

    Each method raises OSError if the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._numbers = count()
        self._mapped: _MappedFile | None = None

    def get(self, key: str) -> bytes:
        """The current stamp of a key's group; take it before the entry is read."""
        offset, file = _offset(key), self._mapped or self.check_file()
        return file.number + file.memory[offset : offset + _SIZE]

    def change(self, key: str) -> None:
        """Change the stamp of a key's group, after the entry was written."""
        offset = _offset(key)
        self.check_file().memory[offset : offset + _SIZE] = token_bytes(_SIZE)

    def check_file(self) -> _MappedFile:
        """Map the file that is at the path now, unless it is mapped already; return it."""
        mapped = self._mapped
        if mapped and mapped.identity == self._identity():
            return mapped
        with self._lock:
            if self._mapped is None or self._mapped.identity != self._identity():
                self._mapped = self._map()
            return self._mapped

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _map(self) -> _MappedFile:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # Without reserved blocks, a write to a page on a full disk raises SIGBUS.
            os.posix_fallocate(file, 0, _GROUPS * _SIZE)
            found = os.fstat(file)
            memory = mmap.mmap(file, _GROUPS * _SIZE)
        finally:
            os.close(file)
        return _MappedFile(memory, (found.st_dev, found.st_ino), b"%d:" % next(self._numbers))


def _offset(key: str) -> int:
    return crc32(key.encode("utf-8", "surrogatepass")) % _GROUPS * _SIZE
