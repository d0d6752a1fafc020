"""A pool of daemon threads, which do not delay the end of the process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from weakref import finalize

from bff.observe.log import logger


@dataclass(slots=True)
class _Shared:
    """The state that threads share; they do not refer to the pool, so that it can be collected."""

    jobs: SimpleQueue[Callable[[], None] | None] = field(default_factory=SimpleQueue)
    lock: Lock = field(default_factory=Lock)
    threads: list[Thread] = field(default_factory=list)
    idle: int = 0


class ThreadPool:
    """At most `size` daemon threads, started on demand.

    They end when the pool is closed or garbage-collected: an app that `bff dev` replaces leaves no
    threads behind.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._shared = _Shared()
        finalize(self, _end, self._shared).atexit = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run `job` on the next free thread; its exceptions are logged.

        Raises:
            RuntimeError: the pool has no thread, and cannot start one.
        """
        shared = self._shared
        with shared.lock:
            if shared.idle:
                shared.idle -= 1
            elif len(shared.threads) < self._size:
                name = f"{self._name}-{len(shared.threads)}"
                thread = Thread(target=_work, args=(shared,), name=name, daemon=True)
                if self._starts(thread):
                    shared.threads.append(thread)
        shared.jobs.put(job)

    def _starts(self, thread: Thread) -> bool:
        """Start a thread; False if the system cannot, and other threads of the pool run.

        Raises:
            RuntimeError: it cannot, and no other thread runs.
        """
        try:
            thread.start()
        except RuntimeError:
            if not self._shared.threads:
                raise
            return False
        return True

    @property
    def waiting(self) -> int:
        """The number of queued jobs."""
        return self._shared.jobs.qsize()

    @property
    def busy(self) -> int:
        """The number of threads that run a job."""
        with self._shared.lock:
            return len(self._shared.threads) - self._shared.idle

    def close(self) -> None:
        """End the threads after their current jobs, without waiting for them."""
        _end(self._shared)


def _end(shared: _Shared) -> None:
    for _ in shared.threads:
        shared.jobs.put(None)


def _work(shared: _Shared) -> None:
    while (job := shared.jobs.get()) is not None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - an ended thread is not replaced
            logger.error("unexpected %s", type(error).__name__, exc_info=error)
        job = None  # it may hold the last reference to the pool
        with shared.lock:
            shared.idle += 1
