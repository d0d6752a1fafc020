"""Draining before a stop: a flag that gunicorn's master sets and all workers read."""

import mmap
from typing import Final

_begun: Final = mmap.mmap(-1, 1)  # shared memory: processes that are forked later see it


def begin() -> None:
    """Begin draining: `/readyz` fails from now on; requests are still answered."""
    _begun[0] = 1


def begun() -> str:
    """A readiness check: the reason not to be ready; empty if not draining."""
    return "stopping" if _begun[0] else ""
