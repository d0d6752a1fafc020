"""The connections to one service: the one used last is used next, and none is looked for.

httpcore looks at every connection, and into the socket of each idle one, before and after each
request. A lane bounds what is in flight to its service, so that there is nothing to wait for here.
"""

from time import monotonic
from typing import Any, Final

import httpcore

_SWEEP: Final = 1.0  # seconds between two looks for connections that have gone stale


class Connections(httpcore.ConnectionPool):
    """httpcore's pool, for one origin and without a limit of its own."""

    _swept = 0.0

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
            found = self._idle(taken, closing)
            if found is None:
                found = self.create_connection(pool_request.request.url.origin)
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
            if found.is_closed() or found.has_expired():
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
            if each not in taken and (each.is_closed() or each.has_expired())
        ]
        for each in stale:
            self._connections.remove(each)
            closing += [] if each.is_closed() else [each]
