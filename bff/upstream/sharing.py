"""An exchange for several conductors at once, which sends what they all want once.

It is for views that change nothing: what is sent, up to the bytes of its body, is what makes two
requests one. What failed is forgotten at once, so that trying again is trying again.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from bff.errors import TimedOut
from bff.model.exchange import Deadline, Reply, Request
from bff.observe.boundary import ErrorBoundary
from bff.upstream.exchange import Completion, Exchange, Sink
from bff.upstream.permit import Permit

BEGUN: Final = "bff.begun"  # in the environ of a part of a batch: when the batch began
_FIRST_ERROR: Final = 400
_WORTH: Final = 0.05  # seconds more than the first one has, in which a second try may come


@dataclass(frozen=True, slots=True)
class _Waiter:
    attempt: int
    mailbox: Sink
    deadline: Deadline


@dataclass(eq=False)
class _Flight:
    """One request under way, or its reply; a sink for its completion."""

    sharing: "Sharing"
    key: Hashable
    request: Request
    deadline: Deadline
    waiters: list[_Waiter] = field(default_factory=list)
    ticket: Any = None
    reply: Reply | None = None

    def put(self, completion: Completion) -> None:
        """It has ended: everybody who waits is told."""
        self.sharing.landed(self, completion)


@dataclass(frozen=True, slots=True)
class _Seat:
    """Somebody's part in a flight."""

    flight: _Flight
    waiter: _Waiter


class Sharing:
    """Requests of one batch; it is made for one, and forgotten with it.

    Args:
        moving: by service, the header that says how long a request has: it is never the same.
        boundary: hears of what the exchange raises unforeseen.

    It is no `SingleFlight`: replies outlast their flights, the last to leave cancels the request,
    and those who have more time than the first have it sent again.
    """

    def __init__(
        self,
        exchange: Exchange,
        moving: Mapping[str, str] | None = None,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        self._exchange, self._lock = exchange, Lock()
        self._boundary = boundary or ErrorBoundary()
        self._moving = moving or {}
        self._flights: dict[Hashable, _Flight] = {}

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Any:
        """Send `request`, or wait for the same one, or have its reply at once."""
        moving = self._moving.get(request.service)
        headers = frozenset(each for each in request.headers if each[0] != moving)
        key = (request.service, request.method, request.target, headers, request.body)
        waiter = _Waiter(attempt, mailbox, deadline)
        with self._lock:
            flight = self._flights.get(key)
            first = flight is None
            if flight is None:
                flight = self._flights[key] = _Flight(self, key, request, deadline)
            reply = flight.reply
            if reply is None:
                flight.waiters.append(waiter)
        if not first and isinstance(mailbox, Permit):
            mailbox.shares()
        if reply is not None:
            mailbox.put(Completion(attempt, reply))
        elif first:
            self._send(flight)
        return _Seat(flight, waiter)

    def cancel(self, ticket: Any) -> None:
        """Leave; where nobody is left, the request is given up."""
        flight: _Flight = ticket.flight
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
        """A request has ended: a good reply is for whoever still comes, too.

        Whoever has more time than the one for whom it was sent is not late because that one is:
        for them it is sent again.
        """
        result = completion.result
        good = isinstance(result, Reply) and result.status < _FIRST_ERROR
        with self._lock:
            told, flight.waiters = flight.waiters, []
            if isinstance(result, TimedOut):
                until = flight.deadline.at + _WORTH
                flight.waiters = [each for each in told if each.deadline.at > until]
                told = [each for each in told if each.deadline.at <= until]
            again = bool(flight.waiters)
            if good:
                flight.reply = result
            elif again:
                flight.deadline = Deadline(max(each.deadline.at for each in flight.waiters))
            elif self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        for each in told:
            each.mailbox.put(Completion(each.attempt, result))
        if again:
            self._send(flight)

    def _send(self, flight: _Flight) -> None:
        try:
            flight.ticket = self._exchange.start(flight.request, flight.deadline, 0, flight)
        except Exception as error:  # noqa: BLE001 - others may wait by now
            flight.put(Completion(0, self._boundary.reported(error, "call", flight.request.origin)))
