"""Conversion to and from httpx: headers, exceptions, and checks of message framing."""

from collections.abc import Iterable
from typing import Any, Final

import httpx

from bff.errors import BadReply, BffError, TimedOut, Unreachable
from bff.model.exchange import Headers
from bff.upstream.attempt_handle import AttemptHandle
from bff.upstream.body import ACCEPT_ENCODING

_STATIC: Final = {b"user-agent": b"bff", b"accept-encoding": ACCEPT_ENCODING.encode()}
_NOT_HTTP: Final = (
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.DecodingError,
    httpx.InvalidURL,
)


def request_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The request headers for httpx, with defaults for those that are not given."""
    sent = dict(_STATIC)
    for name, value in headers:
        sent[name.encode()] = value.encode("utf-8", "surrogateescape")
    return list(sent.items())


def reply_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of a reply, names in lower case."""
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)


def has_surplus(response: httpx.Response) -> bool:
    """Whether the service sent bytes after the end of the reply (response splitting).

    h11 would parse them as the reply to the next request on the connection, which may be another
    user's; httpcore does not check. Causes are a wrong Content-Length, or a body after HEAD.
    """
    found: Any = response.stream
    for name in ("_httpcore_stream", "_stream", "_connection", "_h11_state"):
        found = getattr(found, name, None)
    return found is not None and bool(found.trailing_data[0])


def require_length(response: httpx.Response) -> None:
    """Refuse a TLS reply that is delimited by the end of the connection, without close_notify.

    That end is not authenticated: an attacker may have truncated it (RFC 9112, section 9.8).

    Raises:
        BadReply: it has neither Content-Length nor Transfer-Encoding.
    """
    headers = response.headers
    if "content-length" not in headers and "transfer-encoding" not in headers:
        raise truncation_error()


def truncation_error() -> BadReply:
    """The error of a reply that an attacker may have truncated (RFC 9112, section 9.8)."""
    return BadReply("the connection ended without close_notify, and the reply has no length")


def map_error(error: BaseException, handle: AttemptHandle) -> BffError:
    """The BffError of an exception of httpx; every exception has one."""
    kind = type(error).__name__
    text = f"{kind}: {error}"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return TimedOut(text)
    if isinstance(error, _NOT_HTTP) and not handle.hung_up:
        return BadReply(kind)  # without the text, which may quote the reply
    if isinstance(error, httpx.ConnectError):
        return Unreachable(text, "connect")
    return Unreachable(text, "" if handle.received else "reset")
