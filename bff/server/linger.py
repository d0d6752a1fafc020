"""Lingering close: closes connections in stages (RFC 9112, section 9.6), without threads.

TCP resets a connection that is closed with unread bytes, and the reset discards the part of the
answer that the client has not read; a proxy counts it as a failure of the server. So:

1. The sending side is closed.
2. Bytes that still arrive are discarded.
3. The connection is closed once the client has closed it, has sent nothing for a second, or a limit
   of time or bytes is reached.
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

STALL: Final = 1.0  # seconds without progress
LONGEST: Final = 4.0  # seconds in all, after discarding on a request thread
_PIECE: Final = 256 * 1024


@dataclass(slots=True)
class _Closing:
    """A half-closed connection.

    Args:
        allowance: bytes that may still be discarded.
        until: when it is closed if no bytes arrive, on the monotonic clock.
        end: when it is closed in any case.
    """

    allowance: int
    until: float
    end: float


class Lingering:
    """The half-closed connections of a worker; for its main thread only.

    Args:
        poller: the selector of the worker, which calls the registered data.
        closed: called for each connection once it is closed.
        now: a monotonic clock, in seconds.
    """

    def __init__(
        self, poller: Any, closed: Callable[[], None], now: Callable[[], float] = monotonic
    ) -> None:
        self._poller, self._closed, self._now = poller, closed, now
        self._waiting: dict[socket.socket, _Closing] = {}

    def add(self, sock: socket.socket, allowance: int) -> None:
        """Begin to close a connection.

        Args:
            allowance: maximum bytes that are discarded.
        """
        now = self._now()
        self._waiting[sock] = _Closing(allowance, now + STALL, now + LONGEST)
        try:
            sock.settimeout(0)
            sock.shutdown(socket.SHUT_WR)
            if allowance > 0:
                self._poller.register(sock, selectors.EVENT_READ, self._readable)
        except (OSError, ValueError):  # the client has gone, or the socket is closed already
            self._close(sock)
        else:
            if allowance > 0:
                self._readable(sock)  # the client has usually closed already

    def seconds_until_due(self) -> float:
        """Seconds until the next connection is due; infinity if there is none."""
        if not self._waiting:
            return float("inf")
        return max(0.0, min(closing.until for closing in self._waiting.values()) - self._now())

    def expire(self) -> None:
        """Close the connections that are due."""
        now = self._now()
        for sock in [sock for sock, closing in self._waiting.items() if closing.until <= now]:
            self._close(sock)

    def _readable(self, sock: socket.socket) -> None:
        """Discard the bytes that have arrived."""
        closing, now = self._waiting[sock], self._now()
        try:
            data = sock.recv(min(_PIECE, closing.allowance))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        closing.allowance -= len(data)
        if not data:
            self._close(sock)
            return
        closing.until = min(now + STALL, closing.end)
        if (
            closing.allowance <= 0
        ):  # nothing is read any more, so the close of the client is not seen
            self._poller.unregister(sock)

    def _close(self, sock: socket.socket) -> None:
        del self._waiting[sock]
        with suppress(OSError, KeyError, ValueError):
            self._poller.unregister(sock)
        with suppress(OSError):
            sock.close()
        self._closed()
