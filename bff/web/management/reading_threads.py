"""The threads that wait for the bytes of a request: the gunicorn worker adds them, for a gauge.

Threads add and discard their own id, which is atomic in CPython: no lock is needed per request.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Final

HEADS: Final[set[int]] = set()  # threads that wait for, or parse, the head of a request
BODIES: Final[set[int]] = set()  # threads that read a body, or discard what is left of one


@contextmanager
def waiting(threads: set[int]) -> Iterator[None]:
    """Count this thread among `threads` while the block runs."""
    own = get_ident()
    threads.add(own)
    try:
        yield
    finally:
        threads.discard(own)
