"""The poller of one thread: its sockets, its timers, and what other threads hand to it.

A socket belongs to one poller, and only that poller's thread registers, reads, unregisters and
closes it: the number of a closed descriptor is at once another connection's.
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
    """What a poller serves: it must not raise, and never blocks.

    Attributes:
        due: when `expire` has something to do, in seconds on the monotonic clock.
    """

    due: float

    def ready(self) -> None:
        """Its descriptor can be read or written, or has an error."""

    def expire(self, now: float) -> None:
        """Its moment has come."""


class Poller:
    """What one thread waits for; made on that thread.

    Attributes:
        asleep: whether the thread waits in poll(2), or is about to.

    Raises:
        OSError: the process has no descriptor left.
    """

    _wakeup: Wakeup | None = None  # where there was no descriptor for it

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
        self._due = math.inf  # no later than the first moment of what is watched

    def is_mine(self) -> bool:
        """Whether the calling thread is the one that it belongs to."""
        return self._thread == get_ident()

    def __len__(self) -> int:
        """How much is watched."""
        return len(self._watched)

    def post(self, job: Callable[[], None]) -> None:
        """Have `job` run on the poller's thread, when it next waits; any thread may."""
        self._jobs.append(job)
        self.wake()

    def wake(self) -> None:
        """End the wait of the poller's thread, if it sleeps; any thread may."""
        if self.asleep and self._wakeup is not None:
            self._wakeup.set()

    def add(self, watched: Watched) -> None:
        """Watch the moment of something."""
        self._watched.add(watched)
        self._due = min(self._due, watched.due)

    def discard(self, watched: Watched) -> None:
        """Watch its moment no longer; its descriptor is to be unregistered before."""
        self._watched.discard(watched)

    def register(self, descriptor: int, watched: Watched, events: int) -> None:
        """Watch a descriptor, for these events from now on."""
        self._poll.register(descriptor, events)
        self._by_descriptor[descriptor] = watched
        self._due = min(self._due, watched.due)

    def unregister(self, descriptor: int) -> None:
        """Watch a descriptor no longer; called before it is closed."""
        if self._by_descriptor.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def again(self, watched: Watched) -> None:
        """Serve it once more before sleeping: it stopped while there was more to read.

        TLS may hold decrypted bytes that poll(2) knows nothing of.
        """
        self._unfinished.append(watched)

    def turn(self, timeout: float, arrived: Sized = _NOTHING) -> None:
        """Serve what is ready; where nothing is, sleep until something is, or is due.

        Args:
            timeout: seconds to sleep at most.
            arrived: not slept for while there is something in it. Another thread that adds to it
                calls `wake` afterwards.
        """
        self._run_jobs()
        if self._watched:
            timeout = min(timeout, self._due - monotonic())
        self.asleep = True  # what is added from now on wakes; what was added before is seen here
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
        """Serve what is ready: one may end another, whose descriptor may then be a third's."""
        found = [(number, self._by_descriptor.get(number)) for number, _ in events]
        for number, watched in found:
            if watched is None:
                self._serve_own(number)
            elif self._by_descriptor.get(number) is watched:
                watched.ready()

    def _serve_own(self, number: int) -> None:
        if self._wakeup is not None and number == self._wakeup.fileno():
            self._wakeup.clear()
        else:  # closed without being unregistered: it would be ready for ever
            self._poll.unregister(number)

    def _run_jobs(self) -> None:
        while self._jobs:
            job = self._jobs.popleft()
            try:
                job()
            except Exception as error:  # noqa: BLE001 - it is another request's, or nobody's
                logger.error("unexpected %s", type(error).__name__, exc_info=error)

    def _expire(self, now: float) -> None:
        for watched in [each for each in self._watched if each.due <= now]:
            watched.expire(now)
        self._due = min((each.due for each in self._watched), default=math.inf)

    def __del__(self) -> None:
        """Close the descriptor: the thread has ended."""
        if self._wakeup is not None:
            self._wakeup.close()


_threads = local()


def poller_of_this_thread() -> Poller:
    """The poller of the calling thread; made with its first use.

    Raises:
        OSError: the process has no descriptor left for one.
    """
    poller: Poller | None = getattr(_threads, "poller", None)
    if poller is None:
        poller = _threads.poller = Poller()
    return poller


def _forget() -> None:
    """Leave the parent's poller to the parent: the descriptors of the two are one."""
    global _threads  # noqa: PLW0603 - a child process has one thread, and no poller yet
    _threads = local()


os.register_at_fork(after_in_child=_forget)
