"""Closing connections in stages (RFC 9112, section 9.6), without a thread for each.

A connection that is closed while bytes of the client are unread is reset, and the reset discards
what the client has not read of the answer; a proxy counts it as a failure of the server. So the
sending side is closed first; what still comes is discarded until the client closes too, it sends
nothing for a second, or time or bytes are used up.
"""

import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

STALL: Final = 1.0  # seconds without progress
LONGEST: Final = 4.0  # seconds in all; discarding on a request thread comes before
_PIECE: Final = 256 * 1024


@dataclass(slots=True)
class _Closing:
    """A connection that is half closed.

    Args:
        allowance: bytes that are still read.
        until: when it is closed unless something comes, on the monotonic clock.
        end: when it is closed in any case.
    """

    allowance: int
    until: float
    end: float


class Lingering:
    """The half-closed connections of a worker; used by its main thread only.

    Args:
        poller: the worker's, which calls what is registered with it as data.
        closed: called for each connection once it is closed.
        now: a monotonic clock, in seconds.
    """

    def __init__(
        self, poller: Any, closed: Callable[[], None], now: Callable[[], float] = monotonic
    ) -> None:
        self._poller, self._closed, self._now = poller, closed, now
        self._waiting: dict[socket.socket, _Closing] = {}

    def add(self, sock: socket.socket, allowance: int) -> None:
        """Close the sending side of a connection, and the rest once the client has closed.

        Args:
            allowance: how many bytes are read for that.
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
                self._readable(sock)  # mostly the client has closed already

    def patience(self) -> float:
        """Seconds until the next connection is due; infinity if there is none."""
        if not self._waiting:
            return float("inf")
        return max(0.0, min(each.until for each in self._waiting.values()) - self._now())

    def expire(self) -> None:
        """Close the connections that are due."""
        now = self._now()
        for sock in [sock for sock, each in self._waiting.items() if each.until <= now]:
            self._close(sock)

    def _readable(self, sock: socket.socket) -> None:
        """Discard what is there."""
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
        if closing.allowance <= 0:  # from now on nothing is read, not even the client's close
            self._poller.unregister(sock)

    def _close(self, sock: socket.socket) -> None:
        del self._waiting[sock]
        with suppress(OSError, KeyError, ValueError):
            self._poller.unregister(sock)
        with suppress(OSError):
            sock.close()
        self._closed()
