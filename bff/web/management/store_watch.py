"""Whether the sessions' store can be used: asked every few seconds, and logged if it changes.

A store that takes no writes still answers reads: sessions that exist work, but users cannot sign in
and tokens cannot be refreshed. So `unready` of a store writes.
"""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

from bff.observe.log import logger

_ASKED_AGAIN: Final = 2.0  # seconds


class StoreWatch:
    """Thread-safe; while one thread asks, others are given the last reason.

    Args:
        unready: why the store cannot be used, with its name; empty if it can. It may block.
        clock: seconds on a clock that never goes back.
    """

    def __init__(self, unready: Callable[[], str], clock: Callable[[], float] = monotonic) -> None:
        self._unready, self._clock = unready, clock
        self._asking = Lock()
        self._asked: float | None = None
        self._why = ""

    def reason(self) -> str:
        """Why the store cannot be used now; empty if it can."""
        if self._is_recent() or not self._asking.acquire(blocking=self._asked is None):
            return self._why
        try:
            if not self._is_recent():
                before, self._why = self._why, self._unready()
                self._asked = self._clock()
                _log(before, self._why)
        finally:
            self._asking.release()
        return self._why

    def _is_recent(self) -> bool:
        return self._asked is not None and self._clock() - self._asked < _ASKED_AGAIN


def _log(before: str, why: str) -> None:
    if why and why != before:
        logger.error("the sessions' store cannot be used: %s", why)
    elif before and not why:
        logger.info("the sessions' store can be used again")
