"""An exchange for several conductors at once, which sends what they all want once.

Reads only: what is sent, up to the bytes of its headers, is what makes two requests one. What
failed is forgotten at once, so that trying again is trying again.
"""

from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from bff.model.exchange import Deadline, Reply, Request
from bff.upstream.exchange import Completion, Exchange, Sink

_READS: Final = frozenset({"GET", "HEAD"})
_FIRST_ERROR: Final = 400


@dataclass(eq=False)
class _Flight:
    """One request under way, or its reply; a sink for its completion."""

    sharing: "Sharing"
    key: Hashable
    waiters: list[tuple[int, Sink]] = field(default_factory=list)
    ticket: Any = None
    reply: Reply | None = None

    def put(self, completion: Completion) -> None:
        """It has ended: everybody who waits is told."""
        self.sharing.landed(self, completion)


@dataclass(frozen=True, slots=True)
class _Seat:
    """Somebody's part in a flight."""

    flight: _Flight
    waiter: tuple[int, Sink]


class Sharing:
    """Requests of one batch; it is made for one, and forgotten with it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange, self._lock = exchange, Lock()
        self._flights: dict[Hashable, _Flight] = {}

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Any:
        """Send `request`, or wait for the same one, or have its reply at once."""
        if request.method not in _READS or request.body:
            return self._exchange.start(request, deadline, attempt, mailbox)
        key = (request.service, request.method, request.target, frozenset(request.headers))
        waiter = (attempt, mailbox)
        with self._lock:
            flight = self._flights.get(key)
            first = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight(self, key)
            reply = flight.reply
            if reply is None:
                flight.waiters.append(waiter)
        if reply is not None:
            mailbox.put(Completion(attempt, reply))
        elif first:
            flight.ticket = self._exchange.start(request, deadline, 0, flight)
        return _Seat(flight, waiter)

    def cancel(self, ticket: Any) -> None:
        """Leave; where nobody is left, the request is given up."""
        if not isinstance(ticket, _Seat):
            self._exchange.cancel(ticket)
            return
        flight = ticket.flight
        with self._lock:
            if ticket.waiter in flight.waiters:
                flight.waiters.remove(ticket.waiter)
            alone = not flight.waiters and flight.reply is None
            if alone and self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        if alone and flight.ticket is not None:
            self._exchange.cancel(flight.ticket)

    def unready(self) -> str:
        """As the exchange behind it."""
        return self._exchange.unready()

    def landed(self, flight: _Flight, completion: Completion) -> None:
        """A request has ended: a good reply is for whoever still comes, too."""
        result = completion.result
        good = isinstance(result, Reply) and result.status < _FIRST_ERROR
        with self._lock:
            waiters, flight.waiters = flight.waiters, []
            if good:
                flight.reply = result
            elif self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        for attempt, mailbox in waiters:
            mailbox.put(Completion(attempt, result))
