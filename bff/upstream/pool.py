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
from bff.upstream.attempt_handle import AttemptHandle
from bff.upstream.body import read_body
from bff.upstream.connection_events import ConnectionEvents
from bff.upstream.connections import FRESH, Connections
from bff.upstream.exchange import Completion, Sink, Usage
from bff.upstream.httpx_mapping import (
    has_surplus,
    map_error,
    reply_headers,
    request_headers,
    require_length,
)
from bff.upstream.memory import Memory
from bff.upstream.network import Backend, bound_to
from bff.upstream.resolve import Resolver
from bff.upstream.retry import IDEMPOTENT
from bff.upstream.stream import HttpxStreamedReply, open_stream
from bff.upstream.thread_pool import ThreadPool
from bff.upstream.tls import TlsContexts

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
        self._workers = ThreadPool(size, "bff-upstream")
        self._resolver = Resolver(sum(len(each.urls) for each in services.values()))
        self._tls = TlsContexts()
        make = transport or self._transport
        self._reports_sent = transport is None  # other transports do not report what they have sent
        self._first = {name: service.url for name, service in services.items()}
        self._transports = {
            (name, url): make(service) for name, service in services.items() for url in service.urls
        }
        # Closes the connections of an instance that is dropped unclosed, as those for providers.
        finalize(self, _close, self._transports).atexit = False

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink
    ) -> AttemptHandle:
        """Send `request` as soon as a thread is free."""
        url = request.url or self._first[request.service]
        transport = self._transports[request.service, url]
        handle = AttemptHandle(request, deadline, attempt, mailbox)
        try:
            self._workers.submit(
                partial(_work, transport, url, handle, self._memory, traced=self._traced)
            )
        except RuntimeError as error:
            mailbox.put(Completion(attempt, Unreachable(f"no thread: {error}", "connect")))
        return handle

    def stream(
        self, request: Request, body: Iterable[bytes] | None, idle: float
    ) -> HttpxStreamedReply:
        """Send `request` on the calling thread, and stream its bodies."""
        url = request.url or self._first[request.service]
        return open_stream(self._transports[request.service, url], url, request, body, idle)

    def cancel(self, handle: AttemptHandle) -> None:
        """Cancel an attempt: shut its connection down, or drop it if it has not been sent."""
        handle.cancel()

    def withdraw(self, handle: AttemptHandle) -> bool:
        """Drop an attempt that has not been sent; see `WithdrawingExchange`."""
        return self._reports_sent and handle.withdraw()

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
    transport: httpx.BaseTransport, url: str, handle: AttemptHandle, memory: Memory, *, traced: bool
) -> None:
    """Send a request; once more if the service closed the reused connection at that moment."""
    events = ConnectionEvents() if traced else None
    more: dict[str, Any] = {"trace": events.record} if events else {}
    result = _attempt(transport, url, handle, memory, more)
    if isinstance(result, Unreachable) and _may_resend(handle):
        result = _attempt(transport, url, handle, memory, {**more, FRESH: True})
    handle.mailbox.put(Completion(handle.attempt, result, events))


def _may_resend(handle: AttemptHandle) -> bool:
    """Whether to retry on a new connection without a retry policy (RFC 9112, section 9.3.1)."""
    closed = handle.reused and not handle.received
    return bool(closed) and handle.request.method in IDEMPOTENT and handle.prepare_resend()


def _attempt(
    transport: httpx.BaseTransport,
    url: str,
    handle: AttemptHandle,
    memory: Memory,
    extensions: dict[str, Any],
) -> Reply | BffError:
    try:
        return _send(transport, url, handle, memory, extensions)
    except BffError as error:
        result: BffError = without_frames(error)
        return result
    except BaseException as error:  # noqa: BLE001  (any exception of a transport is an outcome)
        return map_error(error, handle)


def _send(
    transport: httpx.BaseTransport,
    url: str,
    handle: AttemptHandle,
    memory: Memory,
    extensions: dict[str, Any],
) -> Reply:
    request, lease = handle.request, memory.lease()
    handle.left()  # not sent if cancelled or past its deadline
    outgoing = httpx.Request(
        request.method,
        url + request.target,
        headers=request_headers(request.headers + request.trace),
        content=request.body or None,
        extensions=extensions,
    )
    with bound_to(handle):
        response = transport.handle_request(outgoing)
        try:
            if request.method != "HEAD":
                _admit(response, request.max_reply, memory)
            coding = response.headers.get("content-encoding", "")
            stream: Any = response.stream
            body = read_body(stream, coding, request.max_reply, lease)
            if handle.ragged:
                require_length(response)
            if has_surplus(response):
                response.extensions["network_stream"].close()
        finally:
            response.close()
    return Reply(response.status_code, reply_headers(response.headers.raw), body, lease)


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
