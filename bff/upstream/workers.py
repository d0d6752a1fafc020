"""Threads that run what they are handed, and never hold up the end of the process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Lock, Thread
from weakref import finalize

from bff.observe.log import logger


@dataclass(slots=True)
class _Shared:
    """What the threads have of their pool: not the pool, which ends them when it is dropped."""

    jobs: SimpleQueue[Callable[[], None] | None] = field(default_factory=SimpleQueue)
    lock: Lock = field(default_factory=Lock)
    threads: list[Thread] = field(default_factory=list)
    idle: int = 0


class Workers:
    """At most `size` daemon threads, started as they are needed.

    They end when it is closed, or is referred to no more: an app that `bff dev` replaces leaves
    none behind, once its last request has been answered.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._shared = _Shared()
        finalize(self, _end, self._shared).atexit = False

    def submit(self, job: Callable[[], None]) -> None:
        """Have `job` run by the next free thread; what it raises is logged, and ends no thread.

        Raises:
            RuntimeError: there is no thread, and none can be started.
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
        """Start a thread; where the system has no more, those that run do the job.

        Raises:
            RuntimeError: none runs either.
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
        """Jobs that no thread has taken yet."""
        return self._shared.jobs.qsize()

    @property
    def busy(self) -> int:
        """Threads that have something to do."""
        with self._shared.lock:
            return len(self._shared.threads) - self._shared.idle

    def close(self) -> None:
        """Let the threads end after what they are doing; waits for none of them."""
        _end(self._shared)


def _end(shared: _Shared) -> None:
    for _ in shared.threads:
        shared.jobs.put(None)


def _work(shared: _Shared) -> None:
    while (job := shared.jobs.get()) is not None:
        try:
            job()
        except Exception as error:  # noqa: BLE001 - a thread less would never be replaced
            logger.error("unexpected %s", type(error).__name__, exc_info=error)
        job = None  # it may be what refers to the pool last
        with shared.lock:
            shared.idle += 1
