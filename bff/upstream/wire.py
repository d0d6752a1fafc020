"""What httpx is given and gives, in our words: headers, errors, and what came too many."""

from collections.abc import Iterable
from typing import Any, Final

import httpx

from bff.errors import BadReply, BffError, TimedOut, Unreachable
from bff.model.exchange import Headers
from bff.upstream.body import ACCEPT_ENCODING
from bff.upstream.ticket import Ticket

_STATIC: Final = {b"user-agent": b"bff", b"accept-encoding": ACCEPT_ENCODING.encode()}
_NOT_HTTP: Final = (
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.DecodingError,
    httpx.InvalidURL,
)


def sent_headers(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers as they are sent; one that is declared takes the place of ours."""
    sent = dict(_STATIC)
    for name, value in headers:
        sent[name.encode()] = value.encode("utf-8", "surrogateescape")
    return list(sent.items())


def heard_headers(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """The headers of a reply, names in lower case."""
    return tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)


def has_surplus(response: httpx.Response) -> bool:
    """Whether bytes came after the reply that nobody asked for.

    h11 would take them for the reply to the next request on the connection, which may be somebody
    else's; httpcore does not look (seen: a wrong Content-Length, a body after HEAD).
    """
    found: Any = response.stream
    for name in ("_httpcore_stream", "_stream", "_connection", "_h11_state"):
        found = getattr(found, name, None)
    return found is not None and bool(found.trailing_data[0])


def must_say_its_length(response: httpx.Response) -> None:
    """Refuse a reply that only the end of its connection ends, where that may be anybody's doing.

    Without close_notify the end is not authenticated (RFC 9112, section 9.8).

    Raises:
        BadReply: neither a length nor chunks say where it ends.
    """
    headers = response.headers
    if "content-length" not in headers and "transfer-encoding" not in headers:
        raise ends_uncertainly()


def ends_uncertainly() -> BadReply:
    """The error of a reply that may have been cut off by anybody (RFC 9112, section 9.8)."""
    return BadReply("the connection ended without close_notify, and nothing says the length")


def mapped(error: BaseException, ticket: Ticket) -> BffError:
    """Our word for a foreign error; every exception has one."""
    kind = type(error).__name__
    text = f"{kind}: {error}"
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return TimedOut(text)
    if isinstance(error, _NOT_HTTP) and not ticket.hung_up:
        return BadReply(kind)  # the text would quote what the upstream sent
    if isinstance(error, httpx.ConnectError):
        return Unreachable(text, "connect")
    return Unreachable(text, "" if ticket.heard else "reset")
