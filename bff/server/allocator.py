"""Makes the allocator of glibc return freed memory to the system; see mallopt(3).

By default glibc raises the size from which it uses mmap to that of the largest freed allocation,
and has up to eight arenas for each core. After some large replies, a worker then holds several
times their size until it ends.
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_SIZE: Final = 128 * 1024  # bytes; the initial value of glibc
_ARENAS: Final = 2


def return_freed_memory() -> bool:
    """Fix these thresholds, for this process and its children.

    Environment variables (`MALLOC_ARENA_MAX`, ...) are overridden: the documented memory of a
    worker is measured with these values.

    Returns:
        False if the C library has no mallopt, or refuses a value.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    bounds = ((_MMAP_THRESHOLD, _SIZE), (_TRIM_THRESHOLD, _SIZE), (_ARENA_MAX, _ARENAS))
    return all(bool(mallopt(name, value)) for name, value in bounds)
