"""A small pool for what is refreshed behind an answer: the same code, nobody waiting for it."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

from bff.cache.single_flight import SingleFlight
from bff.observe.boundary import ErrorBoundary
from bff.upstream.workers import Workers

_THREADS: Final = 4
_MOST_WAITING: Final = 200


class Background:
    """Runs jobs, of one key only one at a time; more than it can bear are left out.

    Threads start with the first job, so one may be made before a fork.
    """

    def __init__(self, boundary: ErrorBoundary | None = None, size: int = _THREADS) -> None:
        self._boundary = boundary or ErrorBoundary()
        self._workers = Workers(size, "bff-refresh")
        self._flights: SingleFlight[None] = SingleFlight(lambda *_: None)

    def run(self, key: Hashable, job: Callable[[], object]) -> bool:
        """Have `job` run soon; whether it will."""
        if len(self._flights) >= _MOST_WAITING:
            return False
        refused: list[Exception] = []  # no thread: what is stale stays so until the next one
        submit = partial(self._workers.submit, partial(self._work, key, job))
        return self._flights.start(key, None, submit, refused.append) and not refused

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    def _work(self, key: Hashable, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001  (nobody waits, and the thread goes on)
            self._boundary.reported(error, "refresh")
        finally:
            self._flights.land(key, None)
