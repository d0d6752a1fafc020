"""An exchange for the views of one batch, which sends equal requests once.

It is for safe views only. Requests are equal if method, target, headers and body are. Only
successful replies are shared with later requests; a retry after a failure is sent.
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

BATCH_STARTED: Final = "bff.begun"  # environ key of the start time of a batch
_FIRST_ERROR: Final = 400
_MIN_REMAINING: Final = 0.05  # seconds left, for a timed-out request to be sent again


@dataclass(frozen=True, slots=True)
class _Waiter:
    attempt: int
    mailbox: Sink
    deadline: Deadline


@dataclass(eq=False)
class _Flight:
    """One request in flight, or its reply; the sink for its completion."""

    exchange: "BatchExchange"
    key: Hashable
    request: Request
    deadline: Deadline
    waiters: list[_Waiter] = field(default_factory=list)
    handle: Any = None
    reply: Reply | None = None

    def put(self, completion: Completion) -> None:
        """Deliver the completion to all waiters."""
        self.exchange.complete(self, completion)


@dataclass(frozen=True, slots=True)
class _WaiterHandle:
    """The handle of one waiter of a flight."""

    flight: _Flight
    waiter: _Waiter


class BatchExchange:
    """Request coalescing for one batch; one instance for each batch.

    It differs from `SingleFlight` in three ways:

    1. Replies are shared with requests that start after the flight has ended.
    2. The last waiter to cancel cancels the request.
    3. If the request times out, waiters with a later deadline have it sent again.

    Args:
        deadline_headers: by service, the header with the remaining time, which is not compared.
        boundary: reports unexpected exceptions of the exchange.
    """

    def __init__(
        self,
        exchange: Exchange,
        deadline_headers: Mapping[str, str] | None = None,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        self._exchange, self._lock = exchange, Lock()
        self._boundary = boundary or ErrorBoundary()
        self._deadline_headers = deadline_headers or {}
        self._flights: dict[Hashable, _Flight] = {}

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Any:
        """Send `request`, wait for the equal one in flight, or deliver its reply at once."""
        deadline_header = self._deadline_headers.get(request.service)
        headers = frozenset(each for each in request.headers if each[0] != deadline_header)
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
            mailbox.release_shared()
        if reply is not None:
            mailbox.put(Completion(attempt, reply))
        elif first:
            self._send(flight)
        return _WaiterHandle(flight, waiter)

    def cancel(self, handle: Any) -> None:
        """Stop waiting; the last waiter cancels the request."""
        flight: _Flight = handle.flight
        with self._lock:
            if handle.waiter in flight.waiters:
                flight.waiters.remove(handle.waiter)
            alone = not flight.waiters and flight.reply is None
            if alone and self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        if alone and flight.handle is not None:
            self._exchange.cancel(flight.handle)

    def unready(self) -> str:
        """As of the underlying exchange."""
        return self._exchange.unready()

    def complete(self, flight: _Flight, completion: Completion) -> None:
        """Deliver a completion to the waiters, and store a successful reply for later requests.

        After a timeout the request is sent again for the waiters with a later deadline.
        """
        result = completion.result
        good = isinstance(result, Reply) and result.status < _FIRST_ERROR
        with self._lock:
            waiters, flight.waiters = flight.waiters, []
            if isinstance(result, TimedOut):
                until = flight.deadline.at + _MIN_REMAINING
                flight.waiters = [each for each in waiters if each.deadline.at > until]
                waiters = [each for each in waiters if each.deadline.at <= until]
            again = bool(flight.waiters)
            if good:
                flight.reply = result
            elif again:
                flight.deadline = Deadline(max(each.deadline.at for each in flight.waiters))
            elif self._flights.get(flight.key) is flight:
                del self._flights[flight.key]
        for each in waiters:
            each.mailbox.put(Completion(each.attempt, result))
        if again:
            self._send(flight)

    def _send(self, flight: _Flight) -> None:
        try:
            flight.handle = self._exchange.start(flight.request, flight.deadline, 0, flight)
        except Exception as error:  # noqa: BLE001 - other waiters need a result
            flight.put(Completion(0, self._boundary.reported(error, "call", flight.request.origin)))
