"""The headers that a relay passes on: of requests to the service, and of replies to the client."""

from collections.abc import Collection, Sequence
from typing import Final

from flask import Request

from bff.auth.session.cookies import is_own_cookie, read_cookies
from bff.engine.decode import connection_names
from bff.model.exchange import Headers, Reply
from bff.model.relay import Relay
from bff.model.untrusted import split_url
from bff.web.headers import forwardable, is_sendable

LAST_EVENT_ID: Final = "last-event-id"  # HTML, section 9.2.4
# RFC 9110: content, content negotiation, conditional requests and ranges.
_REQUEST_HEADERS: Final = (
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    LAST_EVENT_ID,
    "range",
)
RELAYED_REQUEST_HEADERS: Final = frozenset(_REQUEST_HEADERS)
_RESPONSE_HEADERS: Final = frozenset(
    {
        "accept-ranges",
        "allow",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "retry-after",
        "vary",
    }
)
RELAYED_RESPONSE_HEADERS: Final = frozenset(
    {"accept-ranges", "content-disposition", "content-range"}
)
_SHARED_ONLY: Final = ("public", "s-maxage", "proxy-revalidate")


def upstream_headers(
    request: Request, relay: Relay, credentials: Headers, length: int | None
) -> Headers:
    """The headers of the request to the service.

    Args:
        length: bytes of the body; None for an unknown length, or no body.

    Raises:
        Ambiguous: two cookies have the same name.
    """
    found = forwardable(request.headers, [*_REQUEST_HEADERS, *sorted(relay.forward)])
    if relay.stream == "events":
        found["accept-encoding"] = "identity"  # comments are inserted into the stream
    found.setdefault("accept-encoding", "identity")  # else the HTTP client adds its own
    cookies = read_cookies(request.headers.get("Cookie", ""), "") if relay.cookies else {}
    wanted = [f"{name}={cookies[name]}" for name in relay.cookies if name in cookies]
    if wanted:
        found["cookie"] = "; ".join(wanted)
    if length is not None:
        found["content-length"] = str(length)
    return (*found.items(), *credentials)


def client_headers(
    reply: Reply, relay: Relay, here: str, there: str, *, shared: bool
) -> list[tuple[str, str]]:
    """The headers of the answer.

    Args:
        reply: the status and headers of the service's reply.
        here: the path prefix of the relay at the frontend, and `there` at the service.
        shared: whether all clients may get the same answer, as access is public.
    """
    allowed = (_RESPONSE_HEADERS | relay.respond) - connection_names(reply)
    if reply.header("transfer-encoding"):
        allowed -= {"content-length"}  # Transfer-Encoding overrides it (RFC 9112, section 6.3)
    found = [
        (name, value)
        for name, value in reply.headers
        if name in allowed and name != "set-cookie" and is_sendable(name, value)
    ]
    if "set-cookie" in allowed:
        found += [
            (name, value)
            for name, value in reply.headers
            if name == "set-cookie"
            and value.isprintable()
            and not is_own_cookie(value.partition("=")[0])
        ]
    location = _relayed_location(reply.header("location") or "", here, there)
    if location and "location" not in relay.respond:
        found.append(("location", location))
    found.append(("cache-control", _cache_control(_all(reply, "cache-control"), shared=shared)))
    return found


def _all(reply: Reply, name: str) -> list[str]:
    return [value for key, value in reply.headers if key == name and value.isprintable()]


def _cache_control(values: Sequence[str], *, shared: bool) -> str:
    """Cache-Control (RFC 9111, section 5.2.2): that of the service, but `private` for a user."""
    directives = [part.strip() for value in values for part in value.split(",") if part.strip()]
    if shared:
        return ", ".join(directives) or "no-cache"
    dropped = (*_SHARED_ONLY, "private")
    own = [
        directive for directive in directives if directive.lower().partition("=")[0] not in dropped
    ]
    return ", ".join(["private", *(own or ["no-cache"])])


def _relayed_location(location: str, here: str, there: str) -> str:
    """A Location within the relay, with the client's prefix; empty for any other Location."""
    parts = split_url(location)
    if parts is None:
        return ""
    inside = location.startswith("/") and not parts.netloc and "\\" not in location
    tail = parts.path.removeprefix(there) if inside and parts.path.startswith(there) else None
    whole = there.endswith("/") or not tail
    if tail is None or not whole or not location.isprintable() or _has_dot_segment(tail):
        return ""
    return here + tail + (f"?{parts.query}" if parts.query else "")


def _has_dot_segment(tail: str) -> bool:
    """Whether a path has a dot segment or an empty one, and may lead out of the relay."""
    segments: Collection[str] = tail.lower().replace("%2e", ".").split("/")
    return any(segment in {".", ".."} for segment in segments) or "//" in f"/{tail}"
