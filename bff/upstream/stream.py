"""Streaming of one request and its reply, on the calling thread.

The thread of a relay serves one client while bytes flow, so it also does the I/O to the service.
There is no total timeout; each single read and write has an idle timeout.
"""

import math
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final

import httpx

from bff.errors import BffError, Unreachable
from bff.model.exchange import Deadline, Request
from bff.upstream.attempt_handle import AttemptHandle
from bff.upstream.connections import FRESH
from bff.upstream.httpx_mapping import (
    has_surplus,
    map_error,
    reply_headers,
    request_headers,
    require_length,
)
from bff.upstream.network import bound_to
from bff.upstream.retry import IDEMPOTENT

_ENDLESS: Final = Deadline(math.inf)


class _StreamHandle(AttemptHandle):
    """An attempt with an idle timeout for each read and write, besides its deadline.

    Args:
        idle: the idle timeout in seconds.
    """

    __slots__ = ("idle",)

    def __init__(self, request: Request, idle: float) -> None:
        super().__init__(request, Deadline(monotonic() + idle), 0, SimpleQueue())
        self.idle = idle

    def left(self) -> float:
        return min(self.idle, super().left())

    def within(self, seconds: float) -> None:
        """Set the deadline, in seconds from now."""
        self.deadline = Deadline(monotonic() + seconds)

    def endless(self) -> None:
        """Remove the deadline; the idle timeout remains."""
        self.deadline = _ENDLESS


class HttpxStreamedReply:
    """A reply whose body is streamed; the caller must `close` it."""

    def __init__(self, response: httpx.Response, handle: _StreamHandle) -> None:
        self.status = response.status_code
        self.headers = reply_headers(response.headers.raw)
        self._response, self._handle = response, handle

    def __iter__(self) -> Iterator[bytes]:
        """The body in chunks, undecoded.

        Raises:
            UpstreamError: it was truncated, or the idle timeout expired.
        """
        pieces = iter(self._response.stream)  # type: ignore[arg-type] # always a SyncByteStream here
        while True:
            try:
                with bound_to(self._handle):
                    piece = next(pieces, None)
            except BffError:
                raise
            except Exception as error:  # noqa: BLE001  (any exception of a transport is an outcome)
                raise map_error(error, self._handle) from None
            if piece is None:
                if self._handle.ragged:
                    require_length(self._response)
                return
            yield piece

    def wait(self, seconds: float) -> None:
        """Set the idle timeout, in seconds."""
        self._handle.idle = seconds

    def cancel(self) -> None:
        """End the stream from another thread; wakes the thread that reads it."""
        self._handle.cancel()

    def close(self) -> None:
        """Release the connection, for reuse if the reply is complete; otherwise close it."""
        try:
            if has_surplus(self._response):
                self._response.extensions["network_stream"].close()
        finally:
            self._response.close()


def open_stream(
    transport: httpx.BaseTransport,
    url: str,
    request: Request,
    body: Iterable[bytes] | None,
    idle: float,
) -> HttpxStreamedReply:
    """Send a request, and return once the headers of the reply are received.

    Args:
        url: the address of the service.
        body: the chunks of the body; None for none.
        idle: the timeout in seconds of a single read or write, and of the reply's headers.

    Raises:
        BffError: an UpstreamError, or what `body` raises.
    """
    handle = _StreamHandle(request, idle)
    try:
        return _opened(transport, url, handle, body, {})
    except Unreachable:
        # the service closed a reused connection just as it was used
        closed = handle.reused and not handle.received
        if not closed or body is not None or request.method not in IDEMPOTENT:
            raise
    handle = _StreamHandle(request, idle)
    return _opened(transport, url, handle, body, {FRESH: True})


def _opened(
    transport: httpx.BaseTransport,
    url: str,
    handle: _StreamHandle,
    body: Iterable[bytes] | None,
    extensions: dict[str, Any],
) -> HttpxStreamedReply:
    request = handle.request
    try:
        outgoing = httpx.Request(
            request.method,
            url + request.target,
            headers=request_headers(request.headers + request.trace),
            content=None if body is None else _timed(body, handle),
            extensions=extensions,
        )
        with bound_to(handle):
            response = transport.handle_request(outgoing)
    except BffError:
        raise
    except Exception as error:  # noqa: BLE001  (likewise)
        raise map_error(error, handle) from None
    handle.endless()
    return HttpxStreamedReply(response, handle)


def _timed(body: Iterable[bytes], handle: _StreamHandle) -> Iterator[bytes]:
    """The chunks of a body; the timeout for the reply's headers starts after the last one."""
    handle.endless()
    yield from body
    handle.within(handle.idle)
