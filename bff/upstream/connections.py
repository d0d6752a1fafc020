"""A connection pool of one service that reuses the most recently used idle connection (LIFO).

httpcore's pool polls the socket of every idle connection before and after each request. This one
does not. It has no limit: the service's concurrency limit bounds the number of connections.
"""

from time import monotonic
from typing import Any, Final

import httpcore

FRESH: Final = "fresh"  # the request extension that demands a new connection
_SWEEP: Final = 1.0  # seconds between two removals of closed or expired connections


class Connections(httpcore.ConnectionPool):
    """httpcore's pool, for one origin and without a limit.

    Args:
        renew: the maximum age of a connection in seconds, so that DNS changes take effect.
    """

    _swept = 0.0

    def __init__(self, renew: float, **options: Any) -> None:
        super().__init__(**options)
        self._renew = renew

    def _assign_requests_to_connections(self) -> list[Any]:
        """Assign connections to the requests that have none; httpcore holds its lock meanwhile.

        Returns:
            Connections for the caller to close.
        """
        waiting = [each for each in self._requests if each.connection is None]
        if not waiting:
            return []
        closing: list[Any] = []
        taken = {each.connection for each in self._requests}
        for pool_request in waiting:
            fresh = FRESH in pool_request.request.extensions
            found = None if fresh else self._idle(taken, closing)
            if found is None:
                found = self.create_connection(pool_request.request.url.origin)
                found.serves_until = monotonic() + self._renew  # type: ignore[attr-defined]
                self._connections.append(found)
            taken.add(found)
            pool_request.assign_to_connection(found)
        if monotonic() > self._swept + _SWEEP:
            self._sweep(taken, closing)
        return closing

    def _idle(self, taken: set[Any], closing: list[Any]) -> Any:
        """The most recently used idle connection that is usable; None without any."""
        for at in range(len(self._connections) - 1, -1, -1):
            found = self._connections[at]
            if found in taken:
                continue
            if found.is_closed() or _is_over(found):
                del self._connections[at]
                closing += [] if found.is_closed() else [found]
            elif found.is_idle():
                return found
        return None

    def _sweep(self, taken: set[Any], closing: list[Any]) -> None:
        """Remove idle connections that are closed or expired."""
        self._swept = monotonic()
        stale = [
            each
            for each in self._connections
            if each not in taken and (each.is_closed() or _is_over(each))
        ]
        for each in stale:
            self._connections.remove(each)
            closing += [] if each.is_closed() else [each]


def _is_over(connection: Any) -> bool:
    """Whether an idle connection has expired, or the service has closed it."""
    return bool(connection.has_expired() or monotonic() > connection.serves_until)
