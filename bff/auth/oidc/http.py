"""Requests to identity providers: over TLS checked as declared, in bounded time, bounded size.

They go by the exchange that carries requests to services, so that what is true there is true here:
no redirects, no cookies, no proxies, and a time-out that holds for the whole, however slowly an
answer trickles in.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from threading import Lock
from time import monotonic
from typing import Any, Final
from urllib.parse import urlencode

from bff.errors import (
    BadReply,
    BffError,
    ConfigError,
    ProviderAway,
    ProviderMisconfigured,
    TimedOut,
    Unreachable,
)
from bff.model.exchange import Deadline, Headers, Reply, Request
from bff.model.service import Service, Tls
from bff.model.source import Place
from bff.model.untrusted import split_url
from bff.upstream.exchange import Mailbox, SystemClock
from bff.upstream.pool import PoolExchange

_MOST: Final = 1024 * 1024  # bytes of a reply
_AT_ONCE: Final = 16  # requests to one origin
_BEAT: Final = 1.0  # seconds between two calls of `meanwhile`
_JSON: Final = ("accept", "application/json")
_FORM: Final = ("content-type", "application/x-www-form-urlencoded")
_LATER: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_NOT_TRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"  # what OpenSSL calls it


class Http:
    """Asks providers; a lane for each origin is made when it is first needed, thread-safely.

    Args:
        tls: how the providers' certificates are checked, and ours is shown.
        transport: makes the transport for an origin; tests hand in their own.
    """

    def __init__(
        self, tls: Tls | None = None, transport: Callable[[Service], Any] | None = None
    ) -> None:
        self._tls, self._transport = tls, transport
        self._lock = Lock()
        self._lanes: dict[str, PoolExchange] = {}

    def ask(
        self,
        method: str,
        url: str,
        headers: Headers = (),
        body: bytes = b"",
        *,
        timeout: float,
        meanwhile: Callable[[], None] | None = None,
    ) -> Reply:
        """Send a request and wait for the whole reply, whatever its status.

        Args:
            timeout: seconds for all of it: the look-up of the name, and the last byte.
            meanwhile: is called about once a second; what it raises ends the request.

        Raises:
            ProviderAway: there was no such reply; its message has neither query nor body in it.
        """
        origin, target = _split(url)
        lane = self._lane(origin)
        deadline, mailbox = Deadline(monotonic() + timeout), SystemClock().mailbox()
        request = Request(origin, method, target, headers, body, _MOST)
        ticket = lane.start(request, deadline, 1, mailbox)
        try:
            result = _await(mailbox, deadline, meanwhile)
        finally:
            lane.cancel(ticket)  # one that has come to an end is past caring
        if isinstance(result, Reply):
            return result
        raise _no_reply(url, result)

    def get(self, url: str, *, timeout: float) -> bytes:
        """The document at an address, with status 200.

        Raises:
            ProviderAway: there is none; ProviderMisconfigured where no later try will do better.
        """
        reply = self.ask("GET", url, (_JSON,), timeout=timeout)
        if reply.status != HTTPStatus.OK:
            kind = ProviderAway if is_temporary(reply.status) else ProviderMisconfigured
            raise kind(f"{shown(url)} answered {reply.status}")
        return reply.body

    def post(
        self,
        url: str,
        params: Mapping[str, str],
        headers: Headers = (),
        *,
        timeout: float,
        meanwhile: Callable[[], None] | None = None,
    ) -> Reply:
        """Send a form, and wait as `ask` does.

        Raises:
            ProviderAway: there was no reply.
        """
        sent = (_JSON, _FORM, *headers)
        body = urlencode(params).encode()
        return self.ask("POST", url, sent, body, timeout=timeout, meanwhile=meanwhile)

    def close(self) -> None:
        """End the threads and close the connections."""
        with self._lock:
            lanes, self._lanes = self._lanes, {}
        for lane in lanes.values():
            lane.close()

    def _lane(self, origin: str) -> PoolExchange:
        with self._lock:
            if origin not in self._lanes:
                service = Service(
                    origin, Place("provider"), origin, 0.0, _MOST, limit=_AT_ONCE, tls=self._tls
                )
                try:
                    lane = PoolExchange({origin: service}, _AT_ONCE, self._transport)
                except ConfigError as error:
                    why = "; ".join(each.message for each in error.problems)
                    message = f"the certificates for {origin} cannot be used: {why}"
                    raise ProviderMisconfigured(message) from None
                self._lanes[origin] = lane
            return self._lanes[origin]


def _await(
    mailbox: Mailbox, deadline: Deadline, meanwhile: Callable[[], None] | None
) -> Reply | BffError:
    """What came by the deadline: the exchange keeps it too, but only as well as threads do."""
    while left := deadline.left(monotonic()):
        completion = mailbox.get(min(_BEAT, left))
        if completion:
            result: Reply | BffError = completion.result
            return result
        if meanwhile:
            meanwhile()
    return TimedOut("the time is over")


def _split(url: str) -> tuple[str, str]:
    """The origin of an address, and what is asked of it."""
    parts = split_url(url)
    if not parts or parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        raise ProviderMisconfigured("an address of the provider is none")
    if not parts.hostname:
        raise ProviderMisconfigured("an address of the provider is none")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    query = f"?{parts.query}" if parts.query else ""
    return origin, (parts.path or "/") + query


def is_temporary(status: int) -> bool:
    """Whether a status says that the same request may be answered otherwise in a moment."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER


def shown(url: str) -> str:
    """An address as the log may have it: without its query."""
    return url.partition("?")[0]


def _no_reply(url: str, error: BffError) -> ProviderAway:
    """Why there is no reply; of the network's words only those of a connection that failed.

    What fails later may quote what was sent, or what came.
    """
    if isinstance(error, TimedOut):
        return ProviderAway(f"{shown(url)} did not answer in time")
    why = type(error).__name__
    refused = isinstance(error, Unreachable) and error.before == "connect"
    if refused or isinstance(error, BadReply):
        why = str(error)
    kind = ProviderMisconfigured if _NOT_TRUSTED in why else ProviderAway
    return kind(f"{shown(url)} cannot be asked: {why}")
