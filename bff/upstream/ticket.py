"""One attempt in progress: its deadline, and its cancellation from another thread."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from bff.errors import Cancelled, TimedOut
from bff.model.exchange import Deadline, Request
from bff.upstream.exchange import Sink


class Ticket:
    """An attempt, shared by the thread that performs its I/O and the one that may cancel it."""

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
        self._sent = False  # a part of the request may have been sent
        self._once = False  # it must not be sent a second time
        self.hung_up = False  # the service closed the connection during a read
        self.kept: bool | None = None  # a reused connection; None if not known yet
        self.ragged = False  # a TLS connection ended without close_notify
        self.heard = False  # a part of a reply was received

    @property
    def cancelled(self) -> bool:
        """Whether the attempt was cancelled."""
        return self._cancelled

    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            Cancelled: the attempt was cancelled.
            TimedOut: the deadline has passed.
        """
        if self._cancelled:
            raise Cancelled("the attempt was cancelled")
        left = self.deadline.left(monotonic())
        if left <= 0:
            raise TimedOut("deadline exceeded")
        return left

    def block_on(self, wake: Callable[[], None]) -> float:
        """Register `wake` before the thread blocks; returns the timeout in seconds."""
        with self._lock:
            left = self.left()
            self._wake = wake
            return left

    def send_on(self, wake: Callable[[], None]) -> float:
        """As `block_on`, before the thread sends a part of the request."""
        with self._lock:
            left = self.left()
            self._wake = wake
            self._sent = True
            return left

    def unblock(self) -> None:
        """Unregister `wake`: the connection may serve another attempt next."""
        with self._lock:
            self._wake = None

    def cancel(self) -> None:
        """Cancel, and wake the blocked thread."""
        with self._lock:
            self._give_up()

    def withdraw(self) -> bool:
        """Cancel if nothing of the request has been sent; otherwise prevent that it is sent again.

        Returns:
            Whether it was cancelled.
        """
        with self._lock:
            self._once = True
            if not self._sent:
                self._give_up()
            return not self._sent

    def again(self) -> bool:
        """Whether the request may be sent again, on another connection."""
        with self._lock:
            if self._once or self._cancelled:
                return False
            self._sent = False
            return True

    def _give_up(self) -> None:
        self._cancelled = True
        if self._wake is not None:
            self._wake()
