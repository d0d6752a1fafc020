"""Files of figures that never end the process: room is reserved before it is mapped.

prometheus_client maps files that it has only made longer. Where the disk is full, which is /dev/shm
in most containers with 64 MB of it, the first write to such a page raises SIGBUS. Figures for which
there is no room are in the memory of their process, and are those of this process only.
"""

import os
from typing import Any, Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

_BLOCK: Final = 1 << 16  # bytes of a new file, as the library makes them

_lacking: Final[set[str]] = set()


def without_room() -> str:
    """A note for operators where figures had no room; empty where all have."""
    return f"no room for figures in {', '.join(sorted(_lacking))}" if _lacking else ""


class Figures:
    """The library's mapped file for as long as there is room; a dict for what has none.

    Args:
        filename: of the file; it is made where it is missing.

    Not thread-safe, as the library's own: it calls it under a lock.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's own
        self._own: dict[str, tuple[float, float]] = {}
        self._folder = os.path.dirname(filename)  # noqa: PTH120 - a text, as the library's
        self._mapped: Any = None
        if self._reserves(filename, _BLOCK):
            self._mapped = MmapedDict(filename, read_mode)

    def read_value(self, key: str) -> tuple[float, float]:
        """A value and its time stamp."""
        if self._is_own(key):
            return self._own.get(key, (0.0, 0.0))
        value, timestamp = self._mapped.read_value(key)
        return value, timestamp

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Write a value and its time stamp."""
        if self._is_own(key):
            self._own[key] = (value, timestamp)
        else:
            self._mapped.write_value(key, value, timestamp)

    def close(self) -> None:
        """Close the file."""
        if self._mapped:
            self._mapped.close()

    def _is_own(self, key: str) -> bool:
        """Whether a key is not in the file; a new one is, if the file has or gets room for it."""
        mapped = self._mapped
        if mapped is None or key in self._own:
            return True
        if key in mapped._positions:  # noqa: SLF001 - the library has no seam for this
            return False
        capacity, needed = mapped._capacity, mapped._used + len(key.encode()) + 32  # noqa: SLF001
        while capacity < needed:
            capacity *= 2
        if capacity == mapped._capacity:  # noqa: SLF001
            return False
        if self._reserves(mapped._fname, capacity):  # noqa: SLF001
            return False
        self._own[key] = (0.0, 0.0)
        return True

    def _reserves(self, filename: str, size: int) -> bool:
        try:
            reserve(filename, size)
        except OSError:
            _lacking.add(self._folder)
            return False
        return True


def reserve(filename: str, size: int) -> None:
    """Have so many bytes of a file on the disk; what it holds stays.

    Raises:
        OSError: there is no room.
    """
    file = os.open(filename, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        before = os.fstat(file).st_size
        try:
            os.posix_fallocate(file, 0, size)
        except OSError:
            if before:
                os.ftruncate(file, before)
            else:
                os.unlink(filename)  # noqa: PTH108 - an empty one is none that can be read
            raise
    finally:
        os.close(file)


def reserve_room() -> None:
    """Have the library use such files from now on; before it makes its first figure."""
    values.MmapedDict = Figures  # type: ignore[assignment,attr-defined] # it asks for the name each time
