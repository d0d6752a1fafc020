"""The exchange that is always there: httpx's transport on a bounded pool of threads.

Only the transport: an httpx.Client would keep cookies between people, follow redirects, read
proxies from the environment and log whole URLs. None of that code is run here.
"""

from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from threading import Lock
from typing import Any, Final

import httpx

from bff.errors import BadReply, BffError, TimedOut, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.upstream.body import ACCEPT_ENCODING, read_body
from bff.upstream.connections import Connections
from bff.upstream.exchange import Completion, Mailbox
from bff.upstream.network import Backend, carrying
from bff.upstream.resolve import Resolver
from bff.upstream.ticket import Ticket
from bff.upstream.tls import TlsContexts
from bff.upstream.workers import Workers

_STATIC: Final = {b"user-agent": b"bff", b"accept-encoding": ACCEPT_ENCODING.encode()}
_KEEPALIVE: Final = 30.0
_NOT_HTTP: Final = (
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.DecodingError,
    httpx.InvalidURL,
)


class PoolExchange:
    """Requests in flight, at most one per thread and a share of them per service.

    Args:
        services: where requests may go; nothing else is ever contacted.
        size: threads, and so requests in flight.
        transport: makes the transport for a service; tests hand in their own.

    Threads start with the first request, so one may be made before a fork.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        size: int,
        transport: Callable[[Service], httpx.BaseTransport] | None = None,
    ) -> None:
        self._size = size
        self._workers = Workers(size, "bff-upstream")
        self._resolver = Resolver()
        self._tls = TlsContexts()
        make = transport or self._transport
        self._lanes = {
            name: _Lane(make(service), service.url, service.limit or max(1, size // 2))
            for name, service in services.items()
        }

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Mailbox) -> Ticket:
        """Send `request` as soon as its service has a place and a thread is free."""
        ticket = Ticket(request, deadline, attempt, mailbox)
        lane = self._lanes[request.service]
        if lane.enter(ticket):
            self._submit(lane, ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Break the connection of an attempt, or forget it if it was not sent yet."""
        ticket.cancel()

    def unready(self) -> str:
        """Whether more requests wait for a thread than there are threads."""
        waiting = self._workers.waiting
        return f"{waiting} requests wait for a thread" if waiting >= self._size else ""

    def close(self) -> None:
        """End the threads and close the connections."""
        self._workers.close()
        self._resolver.close()
        for lane in self._lanes.values():
            lane.transport.close()

    def _transport(self, service: Service) -> httpx.BaseTransport:
        context = self._tls.of(service)
        transport = httpx.HTTPTransport(verify=context, trust_env=False)
        transport._pool = Connections(  # noqa: SLF001  (httpx has no seam for this)
            ssl_context=context,
            max_connections=None,
            max_keepalive_connections=None,
            keepalive_expiry=_KEEPALIVE,
            network_backend=Backend(self._resolver),
        )
        return transport

    def _work(self, lane: "_Lane", ticket: Ticket) -> None:
        """Carry a ticket; then hand the place in the lane to the next one that waits."""
        try:
            result: Reply | BffError = _send(lane, ticket)
        except BffError as error:
            result = error
        except BaseException as error:  # noqa: BLE001  (whatever a transport raises is an outcome)
            result = _mapped(error, hung_up=ticket.hung_up)
        ticket.mailbox.put(Completion(ticket.attempt, result))
        following = lane.leave()
        if following:
            self._submit(lane, following)

    def _submit(self, lane: "_Lane", ticket: Ticket) -> None:
        """Have a ticket that has its place in the lane carried; where no thread runs, fail it."""
        carried: Ticket | None = ticket
        while carried:
            try:
                self._workers.submit(partial(self._work, lane, carried))
            except RuntimeError as error:
                failed = Unreachable(f"no thread: {error}")
                carried.mailbox.put(Completion(carried.attempt, failed))
                carried = lane.leave()
            else:
                return


class _Lane:
    """What leads to one service: its transport, and how many may use it at once."""

    def __init__(self, transport: httpx.BaseTransport, url: str, limit: int) -> None:
        self.transport = transport
        self.url = url
        self._limit = limit
        self._lock = Lock()
        self._in_flight = 0
        self._waiting: deque[Ticket] = deque()

    def enter(self, ticket: Ticket) -> bool:
        """Take a place if there is one; else wait in line."""
        with self._lock:
            if self._in_flight >= self._limit:
                self._waiting.append(ticket)
                return False
            self._in_flight += 1
            return True

    def leave(self) -> Ticket | None:
        """Give the place back, or on to the next that waits and is still wanted."""
        with self._lock:
            while self._waiting:
                ticket = self._waiting.popleft()
                if not ticket.cancelled:
                    return ticket
            self._in_flight -= 1
            return None


def _send(lane: _Lane, ticket: Ticket) -> Reply:
    request = ticket.request
    ticket.left()  # one whose time is over, or that nobody wants, is not sent at all
    outgoing = httpx.Request(
        request.method,
        lane.url + request.target,
        headers=_headers(request),
        content=request.body or None,
    )
    with carrying(ticket):
        response = lane.transport.handle_request(outgoing)
        try:
            coding = response.headers.get("content-encoding", "")
            stream: Any = response.stream
            body = read_body(stream, coding, request.max_reply)
            if _has_surplus(response):
                response.extensions["network_stream"].close()
        finally:
            response.close()
    headers = tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1"))
        for name, value in response.headers.raw
    )
    return Reply(response.status_code, headers, body)


def _has_surplus(response: httpx.Response) -> bool:
    """Whether bytes came after the reply that nobody asked for.

    h11 would take them for the reply to the next request on the connection, which may be somebody
    else's; httpcore does not look (seen: a wrong Content-Length, a body after HEAD).
    """
    found: Any = response.stream
    for name in ("_httpcore_stream", "_stream", "_connection", "_h11_state"):
        found = getattr(found, name, None)
    return found is not None and bool(found.trailing_data[0])


def _headers(request: Request) -> list[tuple[bytes, bytes]]:
    """The headers as they are sent; one that is declared takes the place of ours."""
    sent = dict(_STATIC)
    for name, value in request.headers:
        sent[name.encode()] = value.encode("utf-8", "surrogateescape")
    return list(sent.items())


def _mapped(error: BaseException, *, hung_up: bool = False) -> BffError:
    """Our word for a foreign error; every exception has one."""
    kind = type(error).__name__
    text = f"{kind}: {error}"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return TimedOut(text)
    if isinstance(error, _NOT_HTTP) and not hung_up:
        return BadReply(kind)  # the text would quote what the upstream sent
    return Unreachable(text)
