"""Memory-mapped metrics files whose disk blocks are reserved, so that a full disk is no SIGBUS.

prometheus_client extends its files by ftruncate(), which makes them sparse. If the disk is full
(/dev/shm has 64 MB in most containers), the first write to such a page kills the process by SIGBUS.
Here posix_fallocate() reserves the blocks first; metrics for which that fails stay in the memory of
their process, and only this process reports them.
"""

import os
from typing import Any, Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

_BLOCK: Final = 1 << 16  # bytes of a new file, as the library makes them

_lacking: Final[set[str]] = set()


def without_disk_space() -> str:
    """A note for operators if the disk is too full for metrics; else empty."""
    return f"no disk space for metrics in {', '.join(sorted(_lacking))}" if _lacking else ""


class ReservedMmapDict:
    """The library's `MmapedDict` with reserved blocks; a dict for keys without disk space.

    Args:
        filename: of the file, which is created if it is missing.

    Not thread-safe, as the library's class: the library calls it under a lock.
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
        """Whether a key is in the dict; a new key goes to the file if blocks can be reserved."""
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
    """Reserve the first `size` bytes of a file on the disk; its content is unchanged.

    Raises:
        OSError: there is no space.
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
    """Make the library use such files; to be called before its first metric is created."""
    values.MmapedDict = ReservedMmapDict  # type: ignore[assignment,attr-defined] # it asks for the name each time
