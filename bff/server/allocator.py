"""Has the C library return freed memory to the system, where that is glibc's.

glibc raises the size from which it maps an allocation by itself up to the largest that was freed,
and has arenas for eight threads of each core. After some large replies a worker then keeps several
times their bytes for ever. See mallopt(3).
"""

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
_SIZE: Final = 128 * 1024  # glibc's own, before it is raised
_ARENAS: Final = 2


def return_freed_memory() -> bool:
    """Fix the thresholds and arenas of malloc, also in child processes; False where it has none.

    The environment (`MALLOC_ARENA_MAX`, ...) is overridden: the documented memory of a worker is
    measured with these values.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    bounds = ((_MMAP_THRESHOLD, _SIZE), (_TRIM_THRESHOLD, _SIZE), (_ARENA_MAX, _ARENAS))
    return all(bool(mallopt(name, value)) for name, value in bounds)
