"""HTTP requests to identity providers, with verified TLS, a total time-out and a size limit.

They use the connection pool that carries requests to services, so the same holds: no redirects, no
cookies, no proxies, and a time-out for the whole reply, even if it arrives byte by byte.
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

_MAX_REPLY: Final = 1024 * 1024  # bytes
_CONCURRENCY: Final = 16  # requests to one origin
_HEARTBEAT: Final = 1.0  # seconds between two calls of `meanwhile`
_JSON: Final = ("accept", "application/json")
_FORM: Final = ("content-type", "application/x-www-form-urlencoded")
_TEMPORARY: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_NOT_TRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"  # as OpenSSL names it


class Http:
    """A thread-safe HTTP client; the pool for an origin is opened by its first request.

    Args:
        tls: the authorities for providers' certificates, and the client certificate.
        transport: makes the transport for an origin; tests pass their own.
    """

    def __init__(
        self, tls: Tls | None = None, transport: Callable[[Service], Any] | None = None
    ) -> None:
        self._tls, self._transport = tls, transport
        self._lock = Lock()
        self._pools: dict[str, PoolExchange] = {}

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
            timeout: seconds for the whole request, from the DNS look-up to the last byte.
            meanwhile: called about once a second; an exception it raises ends the request.

        Raises:
            ProviderAway: there was no reply; the message contains neither query nor body.
        """
        origin, target = _split(url)
        pool = self._pool(origin)
        deadline, mailbox = Deadline(monotonic() + timeout), SystemClock().mailbox()
        request = Request(origin, method, target, headers, body, _MAX_REPLY)
        handle = pool.start(request, deadline, 1, mailbox)
        try:
            result = _await(mailbox, deadline, meanwhile)
        finally:
            pool.cancel(handle)  # no effect on one that has ended
        if isinstance(result, Reply):
            return result
        raise _no_reply(url, result)

    def get(self, url: str, *, timeout: float) -> bytes:
        """The body of a GET with status 200.

        Raises:
            ProviderAway: there is none now.
            ProviderMisconfigured: there is none, and a retry would not help.
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
        """Send a form (application/x-www-form-urlencoded); see `ask`.

        Raises:
            ProviderAway: there was no reply.
        """
        sent = (_JSON, _FORM, *headers)
        body = urlencode(params).encode()
        return self.ask("POST", url, sent, body, timeout=timeout, meanwhile=meanwhile)

    def close(self) -> None:
        """End the threads and close the connections."""
        with self._lock:
            pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.close()

    def _pool(self, origin: str) -> PoolExchange:
        with self._lock:
            if origin not in self._pools:
                service = Service(
                    origin,
                    Place("provider"),
                    origin,
                    0.0,
                    _MAX_REPLY,
                    limit=_CONCURRENCY,
                    tls=self._tls,
                )
                try:
                    pool = PoolExchange({origin: service}, _CONCURRENCY, self._transport)
                except ConfigError as error:
                    why = "; ".join(each.message for each in error.problems)
                    message = f"the certificates for {origin} cannot be used: {why}"
                    raise ProviderMisconfigured(message) from None
                self._pools[origin] = pool
            return self._pools[origin]


def _await(
    mailbox: Mailbox, deadline: Deadline, meanwhile: Callable[[], None] | None
) -> Reply | BffError:
    """The result, or TimedOut at the deadline.

    The pool observes the deadline too, but its thread may be late.
    """
    while left := deadline.left(monotonic()):
        completion = mailbox.get(min(_HEARTBEAT, left))
        if completion:
            result: Reply | BffError = completion.result
            return result
        if meanwhile:
            meanwhile()
    return TimedOut("the deadline was exceeded")


def _split(url: str) -> tuple[str, str]:
    """The origin and the request target of a URL (RFC 9112, section 3.2.1)."""
    parts = split_url(url)
    if not parts or parts.scheme not in {"http", "https"} or "@" in parts.netloc:
        raise ProviderMisconfigured("an endpoint of the provider is not a valid URL")
    if not parts.hostname:
        raise ProviderMisconfigured("an endpoint of the provider is not a valid URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    origin = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    query = f"?{parts.query}" if parts.query else ""
    return origin, (parts.path or "/") + query


def is_temporary(status: int) -> bool:
    """Whether a retry of the same request may succeed: 408, 429 and 5xx."""
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _TEMPORARY


def shown(url: str) -> str:
    """A URL without its query, safe to log."""
    return url.partition("?")[0]


def _no_reply(url: str, error: BffError) -> ProviderAway:
    """The exception for a request without a reply.

    The network's message is included only if connecting failed: later errors may quote the request
    or the reply.
    """
    if isinstance(error, TimedOut):
        return ProviderAway(f"{shown(url)} did not answer in time")
    why = type(error).__name__
    refused = isinstance(error, Unreachable) and error.before == "connect"
    if refused or isinstance(error, BadReply):
        why = str(error)
    kind = ProviderMisconfigured if _NOT_TRUSTED in why else ProviderAway
    return kind(f"{shown(url)} cannot be asked: {why}")
