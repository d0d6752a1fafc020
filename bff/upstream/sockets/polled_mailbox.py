"""Mailboxes whose thread reads its own connections while it waits.

The poller is the thread's, the mailbox is the request's: what comes too late lands in a mailbox
that nothing waits in any more.
"""

from collections import deque
from time import monotonic

from bff.upstream.exchange import Completion, Mailbox, SystemClock
from bff.upstream.sockets.poller import poller_of_this_thread


class PolledMailbox:
    """Completions for one conductor, which waits for them in poll(2); made on its thread.

    Attributes:
        poller: reads the connections of requests whose completions end here; see `reader_of`.
    """

    __slots__ = ("_arrived", "poller")

    def __init__(self) -> None:
        self.poller = poller_of_this_thread()
        self._arrived: deque[Completion] = deque()

    def put(self, completion: Completion) -> None:
        """Leave a completion; any thread may."""
        self._arrived.append(completion)
        self.poller.wake()

    def get(self, timeout: float) -> Completion | None:
        """The next completion, or None once `timeout` seconds have passed without one.

        What has come in time is found: the sockets are looked at once more after the time-out.

        Raises:
            RuntimeError: it is called on another thread than the one that made the mailbox.
        """
        arrived, poller = self._arrived, self.poller
        if arrived:
            return arrived.popleft()
        if not poller.is_mine():
            raise RuntimeError("a mailbox is waited in by the thread that made it")
        left, until = timeout, monotonic() + timeout
        while True:
            poller.turn(left, arrived)
            if arrived:
                return arrived.popleft()
            if left <= 0.0:
                return None
            left = max(0.0, until - monotonic())


class PollingClock:
    """Real time, with mailboxes whose waiting thread reads connections."""

    def now(self) -> float:
        """Seconds of the system's monotonic clock."""
        return monotonic()

    def mailbox(self) -> Mailbox:
        """A mailbox of the calling thread; one that the event loop reads for where that fails."""
        try:
            return PolledMailbox()
        except OSError:
            return SystemClock().mailbox()
