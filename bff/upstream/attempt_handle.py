"""One attempt in progress: its deadline, and its cancellation from another thread."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from bff.errors import Cancelled, TimedOut
from bff.model.exchange import Deadline, Request
from bff.upstream.exchange import Sink


class AttemptHandle:
    """An attempt with blocking I/O, shared by the thread that performs it and one that cancels."""

    __slots__ = (
        "_cancelled",
        "_lock",
        "_no_resend",
        "_sent",
        "_wake",
        "attempt",
        "deadline",
        "hung_up",
        "mailbox",
        "ragged",
        "received",
        "request",
        "reused",
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
        self._no_resend = False  # it must not be sent a second time
        self.hung_up = False  # the service closed the connection during a read
        self.reused: bool | None = None  # a reused connection; None if not known yet
        self.ragged = False  # a TLS connection ended without close_notify
        self.received = False  # a part of a reply was received

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
            self._cancel()

    def withdraw(self) -> bool:
        """Cancel if nothing of the request has been sent; otherwise prevent a resend.

        Returns:
            Whether it was cancelled.
        """
        with self._lock:
            self._no_resend = True
            if not self._sent:
                self._cancel()
            return not self._sent

    def prepare_resend(self) -> bool:
        """Prepare to send the request on another connection; False if it must not be sent again."""
        with self._lock:
            if self._no_resend or self._cancelled:
                return False
            self._sent = False
            return True

    def _cancel(self) -> None:
        self._cancelled = True
        if self._wake is not None:
            self._wake()
