"""The idle connections of one address, in LIFO order."""

from collections import deque
from time import monotonic
from typing import Final

from bff.upstream.sockets.connection import Connection

KEEPALIVE: Final = 30.0  # seconds that a connection may be idle


class IdleConnections:
    """A stack of connections that any thread takes from and returns to, without a lock.

    `append` and `pop` of a deque are atomic.
    """

    def __init__(self) -> None:
        self._connections: deque[Connection] = deque()

    def __len__(self) -> int:
        """The number of idle connections."""
        return len(self._connections)

    def take(self) -> Connection | None:
        """The most recently used connection that is reusable; closes the others it meets."""
        now = monotonic()
        while True:
            try:
                found = self._connections.pop()
            except IndexError:
                return None
            if not _is_old(found, now) and found.is_reusable():
                return found
            found.close()

    def put(self, connection: Connection) -> None:
        """Add a connection whose reply was complete."""
        connection.idle_since = monotonic()
        self._connections.append(connection)

    def sweep(self, now: float) -> None:
        """Close connections that have been idle for too long, or are too old."""
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
        """Close all connections."""
        while self._connections:
            try:
                self._connections.pop().close()
            except IndexError:
                return


def _is_old(connection: Connection, now: float) -> bool:
    return now > connection.serves_until or now - connection.idle_since > KEEPALIVE
