"""An exchange that uses httpx's transport on a bounded pool of threads.

It does not use httpx.Client, which would share cookies between users, follow redirects, read
proxies from the environment and log whole URLs.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final
from weakref import finalize

import httpx

from bff.errors import BffError, TooMany, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.model.untrusted import whole_number
from bff.observe.boundary import without_frames
from bff.upstream.body import read_body
from bff.upstream.connections import FRESH, Connections
from bff.upstream.exchange import Completion, Sink, Usage
from bff.upstream.memory import Memory
from bff.upstream.network import Backend, carrying
from bff.upstream.resolve import Resolver
from bff.upstream.retry import IDEMPOTENT
from bff.upstream.steps import Steps
from bff.upstream.stream import Incoming, open_stream
from bff.upstream.ticket import Ticket
from bff.upstream.tls import TlsContexts
from bff.upstream.wire import (
    has_surplus,
    heard_headers,
    mapped,
    must_say_its_length,
    sent_headers,
)
from bff.upstream.workers import Workers

_KEEPALIVE: Final = 30.0
_WITHOUT_BODY: Final = frozenset({204, 304})  # whatever their Content-Length is
_LONGEST: Final = 2**62


class PoolExchange:
    """Sends requests, each on one thread of the pool.

    The concurrency limit of each service is up to its guard.

    Args:
        services: the services, by name; no other host is ever contacted.
        size: threads, which is the maximum of requests in flight.
        transport: creates the transport of a service; for tests.
        memory: the memory budget for replies.
        traced: whether completions have the times of events on the connection.

    Threads start with the first request, so an instance can be created before a fork.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        size: int,
        transport: Callable[[Service], httpx.BaseTransport] | None = None,
        *,
        memory: Memory | None = None,
        traced: bool = False,
    ) -> None:
        self._memory = memory or Memory()
        self._size, self._traced = size, traced
        self._workers = Workers(size, "bff-upstream")
        self._resolver = Resolver(sum(len(each.urls) for each in services.values()))
        self._tls = TlsContexts()
        make = transport or self._transport
        self._own = transport is None  # other transports do not report what they have sent
        self._first = {name: service.url for name, service in services.items()}
        self._transports = {
            (name, url): make(service) for name, service in services.items() for url in service.urls
        }
        # Closes the connections of an instance that is dropped unclosed, as those for providers.
        finalize(self, _close, self._transports).atexit = False

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Ticket:
        """Send `request` as soon as a thread is free."""
        url = request.url or self._first[request.service]
        transport = self._transports[request.service, url]
        ticket = Ticket(request, deadline, attempt, mailbox)
        try:
            self._workers.submit(
                partial(_work, transport, url, ticket, self._memory, traced=self._traced)
            )
        except RuntimeError as error:
            mailbox.put(Completion(attempt, Unreachable(f"no thread: {error}", "connect")))
        return ticket

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> Incoming:
        """Send `request` on the calling thread, and stream its bodies."""
        url = request.url or self._first[request.service]
        return open_stream(self._transports[request.service, url], url, request, body, idle)

    def cancel(self, ticket: Ticket) -> None:
        """Cancel an attempt: shut its connection down, or drop it if it has not been sent."""
        ticket.cancel()

    def withdraw(self, ticket: Ticket) -> bool:
        """Drop an attempt that has not been sent; see `Withdrawing`."""
        return self._own and ticket.withdraw()

    def unready(self) -> str:
        """The reason if at least as many requests are queued as there are threads; else empty."""
        waiting = self._workers.waiting
        return f"{waiting} requests wait for a thread" if waiting >= self._size else ""

    def usage(self) -> Usage:
        """Its current utilization."""
        return Usage(self._size, self._workers.busy, self._workers.waiting)

    def close(self) -> None:
        """End the threads and close the connections."""
        self._workers.close()
        self._resolver.close()
        _close(self._transports)

    def _transport(self, service: Service) -> httpx.BaseTransport:
        context = self._tls.of(service)
        transport = httpx.HTTPTransport(verify=context, trust_env=False)
        transport._pool = Connections(  # noqa: SLF001  (httpx has no seam for this)
            service.renew,
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=None,
            keepalive_expiry=_KEEPALIVE,
            network_backend=Backend(self._resolver),
        )
        return transport


def _close(transports: Mapping[Any, httpx.BaseTransport]) -> None:
    for transport in transports.values():
        transport.close()


def _work(
    transport: httpx.BaseTransport, url: str, ticket: Ticket, memory: Memory, *, traced: bool
) -> None:
    """Send a request; once more if the service closed the reused connection at that moment."""
    steps = Steps() if traced else None
    more: dict[str, Any] = {"trace": steps.note} if steps else {}
    result = _carried(transport, url, ticket, memory, more)
    if isinstance(result, Unreachable) and _met_a_closing_one(ticket):
        result = _carried(transport, url, ticket, memory, {**more, FRESH: True})
    ticket.mailbox.put(Completion(ticket.attempt, result, steps))


def _met_a_closing_one(ticket: Ticket) -> bool:
    """Whether to retry on a new connection without a retry policy (RFC 9112, section 9.3.1)."""
    met = ticket.kept and not ticket.heard
    return bool(met) and ticket.request.method in IDEMPOTENT and ticket.again()


def _carried(
    transport: httpx.BaseTransport,
    url: str,
    ticket: Ticket,
    memory: Memory,
    extensions: dict[str, Any],
) -> Reply | BffError:
    try:
        return _send(transport, url, ticket, memory, extensions)
    except BffError as error:
        result: BffError = without_frames(error)
        return result
    except BaseException as error:  # noqa: BLE001  (any exception of a transport is an outcome)
        return mapped(error, ticket)


def _send(
    transport: httpx.BaseTransport,
    url: str,
    ticket: Ticket,
    memory: Memory,
    extensions: dict[str, Any],
) -> Reply:
    request, lease = ticket.request, memory.lease()
    ticket.left()  # not sent if cancelled or past its deadline
    outgoing = httpx.Request(
        request.method,
        url + request.target,
        headers=sent_headers(request.headers + request.trace),
        content=request.body or None,
        extensions=extensions,
    )
    with carrying(ticket):
        response = transport.handle_request(outgoing)
        try:
            if request.method != "HEAD":
                _admit(response, request.max_reply, memory)
            coding = response.headers.get("content-encoding", "")
            stream: Any = response.stream
            body = read_body(stream, coding, request.max_reply, lease)
            if ticket.ragged:
                must_say_its_length(response)
            if has_surplus(response):
                response.extensions["network_stream"].close()
        finally:
            response.close()
    return Reply(response.status_code, heard_headers(response.headers.raw), body, lease)


def _admit(response: httpx.Response, limit: int, memory: Memory) -> None:
    """Check the Content-Length of a reply before its body is read (RFC 9110, section 8.6).

    Raises:
        TooMany: it exceeds the limit for replies, or the memory budget of the process.
    """
    announced = whole_number(response.headers.get("content-length", ""), _LONGEST)
    if announced is None or response.status_code in _WITHOUT_BODY:
        return
    if announced > limit:
        raise TooMany(f"the reply has more than {limit} bytes")
    memory.admit(announced)
