"""The connections to one service: the one used last is used next, and none is looked for.

httpcore looks at every connection, and into the socket of each idle one, before and after each
request. What is in flight to a service is bounded elsewhere, so there is nothing to wait for here.
"""

from time import monotonic
from typing import Any, Final

import httpcore

FRESH: Final = "fresh"  # the extension of a request that wants a connection of its own
_SWEEP: Final = 1.0  # seconds between two looks for connections that have gone stale


class Connections(httpcore.ConnectionPool):
    """httpcore's pool, for one origin and without a limit of its own.

    Args:
        renew: seconds after which a connection serves no more: a service that has moved is found.
    """

    _swept = 0.0

    def __init__(self, renew: float, **options: Any) -> None:
        super().__init__(**options)
        self._renew = renew

    def _assign_requests_to_connections(self) -> list[Any]:
        """Give each request that has none a connection; httpcore calls this under its lock.

        Returns:
            Connections that are to be closed.
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
        """The idle connection that was used last, if it is still good."""
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
        """Let go of what nobody has used, and the service has closed."""
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
    """Whether an idle connection is too old, or the service has closed it."""
    return bool(connection.has_expired() or monotonic() > connection.serves_until)
