"""Threads that run what they are handed, and never hold up the end of the process."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

from bff.observe.log import logger


class Workers:
    """At most `size` daemon threads, started as they are needed."""

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = Lock()
        self._threads: list[Thread] = []
        self._idle = 0

    def submit(self, job: Callable[[], None]) -> None:
        """Have `job` run by the next free thread; what it raises is logged, and ends no thread.

        Raises:
            RuntimeError: there is no thread, and none can be started.
        """
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif len(self._threads) < self._size:
                thread = Thread(
                    target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
                )
                if self._starts(thread):
                    self._threads.append(thread)
        self._jobs.put(job)

    def _starts(self, thread: Thread) -> bool:
        """Start a thread; where the system has no more, those that run do the job.

        Raises:
            RuntimeError: none runs either.
        """
        try:
            thread.start()
        except RuntimeError:
            if not self._threads:
                raise
            return False
        return True

    @property
    def waiting(self) -> int:
        """Jobs that no thread has taken yet."""
        return self._jobs.qsize()

    @property
    def busy(self) -> int:
        """Threads that have something to do."""
        with self._lock:
            return len(self._threads) - self._idle

    def close(self) -> None:
        """Let the threads end after what they are doing; waits for none of them."""
        for _ in self._threads:
            self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - a thread less would never be replaced
                logger.error("unforeseen %s", type(error).__name__, exc_info=error)
            del job  # or an idle thread would hold its last request, and the reply to it
            with self._lock:
                self._idle += 1
