"""Idle connections to one address: the one used last is used next."""

from collections import deque
from time import monotonic
from typing import Final

from bff.upstream.sockets.connection import Connection

KEEPALIVE: Final = 30.0  # seconds that a connection may be idle


class IdleConnections:
    """A stack of connections that any thread takes from and returns to, without a lock.

    Appending to a deque and taking from it are atomic.
    """

    def __init__(self) -> None:
        self._connections: deque[Connection] = deque()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._connections)

    def take(self) -> Connection | None:
        """The one used last that is still good; those that are not are closed on the way."""
        now = monotonic()
        while True:
            try:
                found = self._connections.pop()
            except IndexError:
                return None
            if not _is_old(found, now) and found.is_quiet():
                return found
            found.close()

    def put(self, connection: Connection) -> None:
        """Keep a connection whose reply was whole for the next request."""
        connection.idle_since = monotonic()
        self._connections.append(connection)

    def sweep(self, now: float) -> None:
        """Close those that have been idle for too long, or are too old."""
        for _ in range(len(self._connections)):
            try:
                oldest = self._connections.popleft()
            except IndexError:
                return
            if not _is_old(oldest, now):
                self._connections.appendleft(oldest)
                return
            oldest.close()

    def close(self) -> None:
        """Close all of them."""
        while self._connections:
            try:
                self._connections.pop().close()
            except IndexError:
                return


def _is_old(connection: Connection, now: float) -> bool:
    return now > connection.serves_until or now - connection.idle_since > KEEPALIVE
