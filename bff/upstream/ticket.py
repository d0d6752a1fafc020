"""One attempt on its way: its deadline, and what must be broken to cancel it."""

import socket
from contextlib import suppress
from threading import Lock
from time import monotonic

from bff.errors import Cancelled, TimedOut
from bff.model.exchange import Deadline, Request
from bff.upstream.exchange import Mailbox


class Ticket:
    """An attempt, shared by the thread that carries it and the one that may cancel it."""

    __slots__ = ("_cancelled", "_lock", "_socket", "attempt", "deadline", "mailbox", "request")

    def __init__(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> None:
        self.request = request
        self.deadline = deadline
        self.attempt = attempt
        self.mailbox = mailbox
        self._lock = Lock()
        self._socket: socket.socket | None = None
        self._cancelled = False

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

    def block_on(self, sock: socket.socket) -> float:
        """Say which socket the attempt is about to block on; seconds it may."""
        with self._lock:
            left = self.left()
            self._socket = sock
            return left

    def unblock(self) -> None:
        """The socket is not this attempt's any more: it may serve another next."""
        with self._lock:
            self._socket = None

    def cancel(self) -> None:
        """Give up, and wake the thread that is blocked."""
        with self._lock:
            self._cancelled = True
            if self._socket is not None:
                with suppress(OSError):  # it may be closed already, which is as good
                    # SSLSocket.shutdown() would take its TLS state away under the other thread
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
