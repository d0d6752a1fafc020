"""Whether the service is about to stop: told by gunicorn's master, seen by all of its workers."""

import mmap
from typing import Final

_begun: Final = mmap.mmap(-1, 1)  # shared with the processes that are forked later


def begin() -> None:
    """From now on no more requests are wanted; those that come are answered all the same."""
    _begun[0] = 1


def begun() -> str:
    """The reason not to be ready; empty if there is none."""
    return "stopping" if _begun[0] else ""
