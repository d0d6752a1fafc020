"""A small thread pool for background refreshes, which no request waits for."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Final

from bff.cache.single_flight import SingleFlight
from bff.observe.boundary import ErrorBoundary
from bff.upstream.thread_pool import ThreadPool

_THREADS: Final = 4
_MAX_JOBS: Final = 200  # running and waiting; further ones are dropped


class Background:
    """Runs jobs, at most one for a key at a time, and drops those beyond its capacity.

    Threads start with the first job, so an instance may be made before a fork.
    """

    def __init__(self, boundary: ErrorBoundary | None = None, size: int = _THREADS) -> None:
        self._boundary = boundary or ErrorBoundary()
        self._workers = ThreadPool(size, "bff-refresh")
        self._flights: SingleFlight[None] = SingleFlight(lambda *_: None)

    def run(self, key: Hashable, job: Callable[[], object]) -> bool:
        """Start `job` soon; False if it is dropped, or if a job of the same key is under way."""
        if len(self._flights) >= _MAX_JOBS:
            return False
        refused: list[Exception] = []  # if no thread can be started; the next request tries again
        submit = partial(self._workers.submit, partial(self._work, key, job))
        return self._flights.start(key, None, submit, refused.append) and not refused

    def close(self) -> None:
        """End the threads."""
        self._workers.close()

    def _work(self, key: Hashable, job: Callable[[], object]) -> None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - reported; the thread goes on
            self._boundary.reported(error, "refresh")
        finally:
            self._flights.complete(key, None)
