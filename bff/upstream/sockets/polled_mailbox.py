"""Mailboxes whose thread reads connections while it waits.

Each thread has one poller, each request of a client one mailbox. A late completion is put into the
mailbox of a request that has ended, and has no effect.
"""

from collections import deque
from time import monotonic

from bff.upstream.exchange import Completion, Mailbox, SystemClock
from bff.upstream.sockets.poller import poller_of_this_thread


class PolledMailbox:
    """The completions for one conductor, which waits in poll(2); created on its thread.

    Attributes:
        poller: reads the connections of the requests with this mailbox; see `poller_of`.
    """

    __slots__ = ("_arrived", "poller")

    def __init__(self) -> None:
        self.poller = poller_of_this_thread()
        self._arrived: deque[Completion] = deque()

    def put(self, completion: Completion) -> None:
        """Add a completion, from any thread."""
        self._arrived.append(completion)
        self.poller.wake()

    def get(self, timeout: float) -> Completion | None:
        """The next completion, or None if there is none within `timeout` seconds.

        The sockets are polled once more after the timeout, so a reply that arrived in time is read.

        Raises:
            RuntimeError: it is called on another thread than the one that created the mailbox.
        """
        arrived, poller = self._arrived, self.poller
        if arrived:
            return arrived.popleft()
        if not poller.is_mine():
            raise RuntimeError("a mailbox is waited in by the thread that made it")
        left, until = timeout, monotonic() + timeout
        while True:
            poller.run_once(left, arrived)
            if arrived:
                return arrived.popleft()
            if left <= 0.0:
                return None
            left = max(0.0, until - monotonic())


class PollingClock:
    """The system's monotonic clock, with mailboxes whose thread reads connections."""

    def now(self) -> float:
        """Monotonic time in seconds."""
        return monotonic()

    def mailbox(self) -> Mailbox:
        """A mailbox of the calling thread; one without a poller if no descriptor is left."""
        try:
            return PolledMailbox()
        except OSError:
            return SystemClock().mailbox()
