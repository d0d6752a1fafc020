"""One request whose bodies are passed on piece by piece, on the thread that asks for it.

A relay's thread serves one client for as long as bytes flow, so it carries them itself. Nothing
limits how long that takes in all; each single wait has a bound.
"""

import math
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final

import httpx

from bff.errors import BffError, Unreachable
from bff.model.exchange import Deadline, Request
from bff.upstream.connections import FRESH
from bff.upstream.network import carrying
from bff.upstream.retry import IDEMPOTENT
from bff.upstream.ticket import Ticket
from bff.upstream.wire import (
    has_surplus,
    heard_headers,
    mapped,
    must_say_its_length,
    sent_headers,
)

_ENDLESS: Final = Deadline(math.inf)


class _StreamTicket(Ticket):
    """An attempt of which every single read and write has a bound, besides all of it.

    Args:
        idle: seconds.
    """

    __slots__ = ("idle",)

    def __init__(self, request: Request, idle: float) -> None:
        super().__init__(request, Deadline(monotonic() + idle), 0, SimpleQueue())
        self.idle = idle

    def left(self) -> float:
        return min(self.idle, super().left())

    def within(self, seconds: float) -> None:
        """From now on all of it together has so long."""
        self.deadline = Deadline(monotonic() + seconds)

    def endless(self) -> None:
        """From now on it has as long as bytes flow."""
        self.deadline = _ENDLESS


class Incoming:
    """A reply whose body is still on its way; `close` it, whatever happens."""

    def __init__(self, response: httpx.Response, ticket: _StreamTicket) -> None:
        self.status = response.status_code
        self.headers = heard_headers(response.headers.raw)
        self._response, self._ticket = response, ticket

    def __iter__(self) -> Iterator[bytes]:
        """The body as it comes, coded as it is.

        Raises:
            UpstreamError: it broke off, or nothing came for too long.
        """
        pieces = iter(self._response.stream)  # type: ignore[arg-type] # it is a synchronous one
        while True:
            try:
                with carrying(self._ticket):
                    piece = next(pieces, None)
            except BffError:
                raise
            except Exception as error:  # noqa: BLE001  (whatever a transport raises is an outcome)
                raise mapped(error, self._ticket) from None
            if piece is None:
                if self._ticket.ragged:
                    must_say_its_length(self._response)
                return
            yield piece

    def wait(self, seconds: float) -> None:
        """From now on a single wait may take so long."""
        self._ticket.idle = seconds

    def cancel(self) -> None:
        """Wake the thread that reads it, from another one: there will be no more."""
        self._ticket.cancel()

    def close(self) -> None:
        """Let the connection go: kept where the reply is whole, broken otherwise."""
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
) -> Incoming:
    """Send a request, and return when the head of its reply is there.

    Args:
        url: the service's address.
        body: its pieces, sent as they come; None for none.
        idle: seconds that a single wait may take, and the head of the reply.

    Raises:
        BffError: an UpstreamError, or what `body` raises.
    """
    ticket = _StreamTicket(request, idle)
    try:
        return _opened(transport, url, ticket, body, {})
    except Unreachable:
        met = ticket.kept and not ticket.heard  # a kept connection, just as it was closed
        if not met or body is not None or request.method not in IDEMPOTENT:
            raise
    ticket = _StreamTicket(request, idle)
    return _opened(transport, url, ticket, body, {FRESH: True})


def _opened(
    transport: httpx.BaseTransport,
    url: str,
    ticket: _StreamTicket,
    body: Iterable[bytes] | None,
    extensions: dict[str, Any],
) -> Incoming:
    request = ticket.request
    try:
        outgoing = httpx.Request(
            request.method,
            url + request.target,
            headers=sent_headers(request.headers + request.trace),
            content=None if body is None else _timed(body, ticket),
            extensions=extensions,
        )
        with carrying(ticket):
            response = transport.handle_request(outgoing)
    except BffError:
        raise
    except Exception as error:  # noqa: BLE001  (likewise)
        raise mapped(error, ticket) from None
    ticket.endless()
    return Incoming(response, ticket)


def _timed(body: Iterable[bytes], ticket: _StreamTicket) -> Iterator[bytes]:
    """The pieces of a body; the time for the head of the reply begins after the last."""
    ticket.endless()
    yield from body
    ticket.within(ticket.idle)
