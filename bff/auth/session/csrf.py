"""CSRF protection of requests with a session cookie (RFC 10017, section 6.1).

It relies on headers that a page of another site cannot forge:

1. Origin (RFC 6454) and Sec-Fetch-Site (W3C Fetch Metadata), which browsers set;
2. a custom header, `X-CSRF: 1`, which a page cannot send across origins unless CORS allows it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from bff.errors import CrossSite
from bff.model.access import Csrf

_SAFE: Final = frozenset({"GET", "HEAD"})
_PREFETCHES: Final = ("prefetch", "prerender", "preview")
_SAME_ORIGIN: Final = frozenset({None, "same-origin"})
_CROSS_ORIGIN: Final = _SAME_ORIGIN | {"same-site", "cross-site"}


@dataclass(frozen=True, slots=True)
class CsrfHeaders:
    """The headers of a request that show where it comes from; None for a missing one.

    Args:
        origin: Origin.
        fetch_site: Sec-Fetch-Site; likewise `fetch_mode` and `fetch_dest`.
        csrf: X-CSRF.
    """

    method: str
    origin: str | None = None
    fetch_site: str | None = None
    fetch_mode: str | None = None
    fetch_dest: str | None = None
    csrf: str | None = None


def is_navigation(headers: CsrfHeaders) -> bool:
    """Whether it is a top-level navigation by GET or HEAD; a frame or a form POST is not."""
    return (
        headers.method in _SAFE
        and headers.fetch_mode == "navigate"
        and headers.fetch_dest == "document"
    )


def check_is_visit(headers: CsrfHeaders, purposes: Iterable[str]) -> None:
    """Refuse to start a sign-in for a request that is not a navigation by the user.

    That is a prefetch, an image, a frame, a script's fetch, or HEAD. Requests without Fetch
    Metadata, of older browsers, are accepted.

    Args:
        purposes: the values of Sec-Purpose, and of its older names.

    Raises:
        CrossSite: it is not a navigation.
    """
    if any(word in each.lower() for each in purposes for word in _PREFETCHES):
        raise CrossSite("a sign-in cannot be prefetched")
    if headers.method == "HEAD":
        raise CrossSite("a sign-in is a navigation: HEAD is not allowed")
    if headers.fetch_mode not in {None, "navigate"} or headers.fetch_dest not in {None, "document"}:
        raise CrossSite("a sign-in is a navigation: open it in the top-level window")


def check_cross_site(
    headers: CsrfHeaders, rule: Csrf, own_origin: str, origins: Collection[str]
) -> None:
    """Refuse a request that a page of another site may have sent.

    Navigations are accepted: they only read, and the other site cannot see the response.

    Args:
        rule: `header` requires `X-CSRF: 1`, and for unsafe methods checks Origin and Sec-Fetch-Site
            as well. `origin` is for requests without custom headers (EventSource, images,
            WebSockets), and requires Origin or Sec-Fetch-Site.
        own_origin: the origin that the request was sent to.
        origins: further allowed origins of the frontend, as browsers serialize them.

    Raises:
        CrossSite: another site may have sent it.
    """
    if is_navigation(headers):
        return
    if rule == "header":
        if headers.csrf != "1":
            raise CrossSite("the header `X-CSRF: 1` is missing")
        if headers.method in _SAFE:
            return
    elif headers.origin is None and headers.fetch_site is None:
        raise CrossSite("the request has neither Origin nor Sec-Fetch-Site")
    elif headers.origin == "null" and headers.fetch_site == "same-origin":
        return  # a form of our own page with `Referrer-Policy: no-referrer` (Fetch, section 3.2)
    _check_source(headers, own_origin, origins)


def _check_source(headers: CsrfHeaders, own_origin: str, origins: Collection[str]) -> None:
    """Check Origin and Sec-Fetch-Site against the allowed origins, and against each other.

    The origin `null` is never allowed: sandboxed frames and cross-origin redirects have it.
    """
    cross_origin = headers.origin not in {None, own_origin}
    if cross_origin and (headers.origin == "null" or headers.origin not in origins):
        raise CrossSite("this origin is not allowed")
    if headers.fetch_site not in (_CROSS_ORIGIN if cross_origin else _SAME_ORIGIN):
        raise CrossSite("Sec-Fetch-Site and Origin do not match: another site may have sent this")
