"""A small pool for what is refreshed behind an answer: the same code, nobody waiting for it."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Final

from bff.observe.log import logger
from bff.upstream.workers import Workers

_THREADS: Final = 4
_MOST_WAITING: Final = 200


class Background:
    """Runs jobs, of one key only one at a time; more than it can bear are left out.

    Threads start with the first job, so one may be made before a fork.
    """

    def __init__(self, size: int = _THREADS) -> None:
        self._workers = Workers(size, "bff-refresh")
        self._lock = Lock()
        self._under_way: set[Hashable] = set()

    def run(self, key: Hashable, job: Callable[[], object]) -> bool:
        """Have `job` run soon; whether it will."""
        with self._lock:
            if key in self._under_way or len(self._under_way) >= _MOST_WAITING:
                return False
            self._under_way.add(key)

        def work() -> None:
            try:
                job()
            except Exception as error:  # noqa: BLE001  (nobody waits, and the thread goes on)
                logger.warning("a refresh failed: %s", type(error).__name__)
            finally:
                with self._lock:
                    self._under_way.discard(key)

        try:
            self._workers.submit(work)
        except RuntimeError:  # no thread: what is stale stays so until the next one
            with self._lock:
                self._under_way.discard(key)
            return False
        return True

    def close(self) -> None:
        """End the threads."""
        self._workers.close()
