"""The poller of one thread: its sockets, its timers, and jobs posted by other threads.

A socket belongs to one poller. Only that poller's thread registers, reads, unregisters and closes
it, because the system reuses the number of a closed descriptor for the next connection.
"""

import math
import os
import select
from collections import deque
from collections.abc import Callable, Sized
from threading import get_ident, local
from time import monotonic
from typing import Final, Protocol

from bff.observe.log import logger
from bff.upstream.sockets.wakeup import Wakeup, open_wakeup

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT
_LONGEST: Final = 3600.0  # seconds; poll(2) counts milliseconds in an int
_NOTHING: Final = ()


class Watched(Protocol):
    """A client of a poller. Its methods must neither raise nor block.

    Attributes:
        due: when `expire` is to be called, in seconds on the monotonic clock.
    """

    due: float

    def ready(self) -> None:
        """Handle a descriptor that can be read or written, or has an error."""

    def expire(self, now: float) -> None:
        """Handle that `due` has passed."""


class Poller:
    """Waits in poll(2) for the sockets and timers of one thread; created on that thread.

    Attributes:
        asleep: whether the thread waits in poll(2), or is about to.

    Raises:
        OSError: no file descriptor is left.
    """

    _wakeup: Wakeup | None = None  # for `__del__` after a failed `__init__`

    def __init__(self) -> None:
        self._wakeup = wakeup = open_wakeup()
        self.asleep = False
        self._thread = get_ident()
        self._poll = select.poll()
        self._poll.register(wakeup.fileno(), READ)
        self._by_descriptor: dict[int, Watched] = {}
        self._watched: set[Watched] = set()
        self._unfinished: deque[Watched] = deque()
        self._jobs: deque[Callable[[], None]] = deque()
        self._due = math.inf  # a lower bound of `due` of all that is watched

    def is_mine(self) -> bool:
        """Whether it belongs to the calling thread."""
        return self._thread == get_ident()

    def __len__(self) -> int:
        """The number of watched objects."""
        return len(self._watched)

    def post(self, job: Callable[[], None]) -> None:
        """Run `job` on the poller's thread at its next `run_once`; from any thread."""
        self._jobs.append(job)
        self.wake()

    def wake(self) -> None:
        """Wake the poller's thread if it waits in poll(2); from any thread."""
        if self.asleep and self._wakeup is not None:
            self._wakeup.set()

    def add(self, watched: Watched) -> None:
        """Watch the timer of an object."""
        self._watched.add(watched)
        self._due = min(self._due, watched.due)

    def discard(self, watched: Watched) -> None:
        """Stop watching a timer; unregister the descriptor before."""
        self._watched.discard(watched)

    def register(self, descriptor: int, watched: Watched, events: int) -> None:
        """Watch a descriptor for `events`, which replace earlier ones."""
        self._poll.register(descriptor, events)
        self._by_descriptor[descriptor] = watched
        self._due = min(self._due, watched.due)

    def unregister(self, descriptor: int) -> None:
        """Stop watching a descriptor; to be called before it is closed."""
        if self._by_descriptor.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def requeue(self, watched: Watched) -> None:
        """Call `ready` once more before the next wait, as there may be more to read.

        TLS may buffer decrypted bytes that poll(2) does not report.
        """
        self._unfinished.append(watched)

    def run_once(self, timeout: float, arrived: Sized = _NOTHING) -> None:
        """Run one iteration: wait for events, and handle events, jobs and expired timers.

        Args:
            timeout: the maximum wait in seconds.
            arrived: if it is not empty, do not wait. A thread that adds to it must call `wake`
                afterwards.
        """
        self._run_jobs()
        if self._watched:
            timeout = min(timeout, self._due - monotonic())
        self.asleep = True  # later additions wake the thread; earlier ones are checked next
        if arrived or self._jobs or self._unfinished or timeout < 0.0:
            timeout = 0.0
        try:
            events = self._poll.poll(1000.0 * min(timeout, _LONGEST))
        finally:
            self.asleep = False
        if events:
            self._serve(events)
        for _ in range(len(self._unfinished)):
            self._unfinished.popleft().ready()
        self._run_jobs()
        if self._watched and self._due <= (now := monotonic()):
            self._expire(now)

    def _serve(self, events: list[tuple[int, int]]) -> None:
        """Call `ready` for each event, unless an earlier call has changed its descriptor."""
        found = [(number, self._by_descriptor.get(number)) for number, _ in events]
        for number, watched in found:
            if watched is None:
                self._serve_own(number)
            elif self._by_descriptor.get(number) is watched:
                watched.ready()

    def _serve_own(self, number: int) -> None:
        if self._wakeup is not None and number == self._wakeup.fileno():
            self._wakeup.clear()
        else:  # closed but not unregistered: it would be reported as ready forever
            self._poll.unregister(number)

    def _run_jobs(self) -> None:
        while self._jobs:
            job = self._jobs.popleft()
            try:
                job()
            except Exception as error:  # noqa: BLE001 - a job may belong to another request
                logger.error("unexpected %s", type(error).__name__, exc_info=error)

    def _expire(self, now: float) -> None:
        for watched in [each for each in self._watched if each.due <= now]:
            watched.expire(now)
        self._due = min((each.due for each in self._watched), default=math.inf)

    def __del__(self) -> None:
        """Close the descriptor when the thread has ended."""
        if self._wakeup is not None:
            self._wakeup.close()


_threads = local()


def poller_of_this_thread() -> Poller:
    """The poller of the calling thread, created at its first use.

    Raises:
        OSError: no file descriptor is left.
    """
    poller: Poller | None = getattr(_threads, "poller", None)
    if poller is None:
        poller = _threads.poller = Poller()
    return poller


def _forget() -> None:
    """Drop the parent's poller after a fork, since both processes share its descriptors."""
    global _threads  # noqa: PLW0603 - a child process starts with one thread and no poller
    _threads = local()


os.register_at_fork(after_in_child=_forget)
