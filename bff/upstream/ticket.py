"""One attempt on its way: its deadline, and how to wake the thread that carries it."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from bff.errors import Cancelled, TimedOut
from bff.model.exchange import Deadline, Request
from bff.upstream.exchange import Sink


class Ticket:
    """An attempt, shared by the thread that carries it and the one that may cancel it."""

    __slots__ = (
        "_cancelled",
        "_lock",
        "_once",
        "_sent",
        "_wake",
        "attempt",
        "deadline",
        "heard",
        "hung_up",
        "kept",
        "mailbox",
        "ragged",
        "request",
    )

    def __init__(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> None:
        self.request = request
        self.deadline = deadline
        self.attempt = attempt
        self.mailbox = mailbox
        self._lock = Lock()
        self._wake: Callable[[], None] | None = None
        self._cancelled = False
        self._sent = False  # a part of the request may have been
        self._once = False  # it is not to be sent a second time
        self.hung_up = False  # the upstream closed the connection while it was read
        self.kept: bool | None = None  # it was given a connection that had served others before
        self.ragged = False  # over TLS, the connection ended without close_notify
        self.heard = False  # something of a reply has come

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for this attempt any more."""
        return self._cancelled

    def left(self) -> float:
        """Seconds that the attempt still has.

        Raises:
            Cancelled: it was given up.
            TimedOut: it has none.
        """
        if self._cancelled:
            raise Cancelled("nobody waits for it any more")
        left = self.deadline.left(monotonic())
        if left <= 0:
            raise TimedOut("the time is over")
        return left

    def block_on(self, wake: Callable[[], None]) -> float:
        """Say how to wake the thread that is about to block; seconds for which it may."""
        with self._lock:
            left = self.left()
            self._wake = wake
            return left

    def send_on(self, wake: Callable[[], None]) -> float:
        """As `block_on`, where the thread is about to send a part of the request."""
        with self._lock:
            left = self.left()
            self._wake = wake
            self._sent = True
            return left

    def unblock(self) -> None:
        """What the thread blocked on is not this attempt's any more: it may serve another next."""
        with self._lock:
            self._wake = None

    def cancel(self) -> None:
        """Give up, and wake the thread that is blocked."""
        with self._lock:
            self._give_up()

    def withdraw(self) -> bool:
        """Give up if nothing of the request has been sent; otherwise send it no second time.

        Returns:
            Whether it was given up.
        """
        with self._lock:
            self._once = True
            if not self._sent:
                self._give_up()
            return not self._sent

    def again(self) -> bool:
        """Whether the request may be sent a second time, on another connection."""
        with self._lock:
            if self._once or self._cancelled:
                return False
            self._sent = False
            return True

    def _give_up(self) -> None:
        self._cancelled = True
        if self._wake is not None:
            self._wake()
