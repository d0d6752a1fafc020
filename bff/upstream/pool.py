"""The exchange that is always there: httpx's transport on a bounded pool of threads.

Only the transport: an httpx.Client would keep cookies between people, follow redirects, read
proxies from the environment and log whole URLs. None of that code is run here.
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
_WITHOUT_BODY: Final = frozenset({204, 304})  # whatever their length is said to be
_LONGEST: Final = 2**62


class PoolExchange:
    """Requests in flight, at most one per thread.

    How many of them may be a service's is for its guard to say.

    Args:
        services: where requests may go; nothing else is ever contacted.
        size: threads, and so requests in flight.
        transport: makes the transport for a service; tests hand in their own.
        memory: what the replies may take of the process's memory.
        traced: whether completions say when what happened on the connection.

    Threads start with the first request, so one may be made before a fork.
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
        self._own = transport is None  # another does not tell what it has sent
        self._first = {name: service.url for name, service in services.items()}
        self._transports = {
            (name, url): make(service) for name, service in services.items() for url in service.urls
        }
        # One that is dropped unclosed, as those for providers are, closes its connections.
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
        """Send `request` on this very thread, and pass its bodies on piece by piece."""
        url = request.url or self._first[request.service]
        return open_stream(self._transports[request.service, url], url, request, body, idle)

    def cancel(self, ticket: Ticket) -> None:
        """Break the connection of an attempt, or forget it if it was not sent yet."""
        ticket.cancel()

    def withdraw(self, ticket: Ticket) -> bool:
        """Forget an attempt that was not sent yet; see `Withdrawing`."""
        return self._own and ticket.withdraw()

    def unready(self) -> str:
        """Whether more requests wait for a thread than there are threads."""
        waiting = self._workers.waiting
        return f"{waiting} requests wait for a thread" if waiting >= self._size else ""

    def usage(self) -> Usage:
        """How full it is."""
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
    """Carry a ticket; one that met a kept connection just as it was closed, once more."""
    steps = Steps() if traced else None
    more: dict[str, Any] = {"trace": steps.note} if steps else {}
    result = _carried(transport, url, ticket, memory, more)
    if isinstance(result, Unreachable) and _met_a_closing_one(ticket):
        result = _carried(transport, url, ticket, memory, {**more, FRESH: True})
    ticket.mailbox.put(Completion(ticket.attempt, result, steps))


def _met_a_closing_one(ticket: Ticket) -> bool:
    """Whether a request may be sent again without anybody's leave (RFC 9112, section 9.3.1)."""
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
    except BaseException as error:  # noqa: BLE001  (whatever a transport raises is an outcome)
        return mapped(error, ticket)


def _send(
    transport: httpx.BaseTransport,
    url: str,
    ticket: Ticket,
    memory: Memory,
    extensions: dict[str, Any],
) -> Reply:
    request, lease = ticket.request, memory.lease()
    ticket.left()  # one whose time is over, or that nobody wants, is not sent at all
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
    """Judge a reply by the length that it announces (RFC 9110, section 8.6).

    Raises:
        TooMany: it is longer than a reply may be, or than the process has room for.
    """
    announced = whole_number(response.headers.get("content-length", ""), _LONGEST)
    if announced is None or response.status_code in _WITHOUT_BODY:
        return
    if announced > limit:
        raise TooMany(f"the reply has more than {limit} bytes")
    memory.admit(announced)
