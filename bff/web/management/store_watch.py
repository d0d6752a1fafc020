"""Health check of the session store: cached for a few seconds; changes are logged.

A read-only or full store still answers reads: existing sessions work, but users cannot sign in and
tokens cannot be refreshed. So the `unready` of a store performs a write.
"""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

from bff.observe.log import logger

_TTL: Final = 2.0  # seconds for which a result is cached


class StoreWatch:
    """Caches the state of the session store. Thread-safe: during a check others get the last state.

    Args:
        unready: checks the store, and may block; why it cannot be used, with its name, or empty.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, unready: Callable[[], str], clock: Callable[[], float] = monotonic) -> None:
        self._unready, self._clock = unready, clock
        self._checking = Lock()
        self._checked_at: float | None = None
        self._why = ""

    def reason(self) -> str:
        """Why the store cannot be used now; empty if it can."""
        if self._is_recent() or not self._checking.acquire(blocking=self._checked_at is None):
            return self._why
        try:
            if not self._is_recent():
                before, self._why = self._why, self._unready()
                self._checked_at = self._clock()
                _log(before, self._why)
        finally:
            self._checking.release()
        return self._why

    def _is_recent(self) -> bool:
        return self._checked_at is not None and self._clock() - self._checked_at < _TTL


def _log(before: str, why: str) -> None:
    if why and why != before:
        logger.error("session store unavailable: %s", why)
    elif before and not why:
        logger.info("session store available again")
