"""Whether a request with a session's cookie may come from a page of somebody else's.

What browsers say of a request (Origin, RFC 6454; Fetch Metadata, W3C) no page can change, and a
header of our own no page can send across origins unless CORS lets it (RFC 10017, section 6.1).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from bff.errors import CrossSite
from bff.model.access import Csrf

_SAFE: Final = frozenset({"GET", "HEAD"})
_IN_ADVANCE: Final = ("prefetch", "prerender", "preview")
_FROM_HERE: Final = frozenset({None, "same-origin"})
_FROM_ELSEWHERE: Final = _FROM_HERE | {"same-site", "cross-site"}


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request says of where it comes from; None for a header that it does not have.

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


def is_navigation(sent: Sent) -> bool:
    """Whether a person goes to a page with it; in a frame, or by a form that posts, is no going."""
    return sent.method in _SAFE and sent.fetch_mode == "navigate" and sent.fetch_dest == "document"


def check_is_visit(sent: Sent, purposes: Iterable[str]) -> None:
    """Refuse to sign in what is fetched without a person going there.

    That is a prefetch, an image, a frame, a script's fetch, or HEAD. A browser that sends no Fetch
    Metadata is believed.

    Args:
        purposes: Sec-Purpose, and what older browsers call it.

    Raises:
        CrossSite: it is no visit.
    """
    if any(word in each.lower() for each in purposes for word in _IN_ADVANCE):
        raise CrossSite("signing in cannot be fetched in advance")
    if sent.method == "HEAD":
        raise CrossSite("signing in is a navigation: HEAD is none")
    if sent.fetch_mode not in {None, "navigate"} or sent.fetch_dest not in {None, "document"}:
        raise CrossSite("signing in is a navigation: send the browser there, in its window")


def check_cross_site(sent: Sent, rule: Csrf, own_origin: str, origins: Collection[str]) -> None:
    """Refuse what a page of somebody else's may have sent; a navigation reads, and shows nobody.

    Args:
        rule: `header` wants `X-CSRF: 1`, and on writes looks at what the browser says too;
            `origin` is for what cannot send a header (EventSource, images, WebSockets), and needs
            the browser to say where it comes from.
        own_origin: the origin that the request was sent to.
        origins: those of the frontend's pages elsewhere, as browsers write them.

    Raises:
        CrossSite: it may.
    """
    if is_navigation(sent):
        return
    if rule == "header":
        if sent.csrf != "1":
            raise CrossSite("the header `X-CSRF: 1` is missing")
        if sent.method in _SAFE:
            return
    elif sent.origin is None and sent.fetch_site is None:
        raise CrossSite("neither Origin nor Sec-Fetch-Site says where this comes from")
    elif sent.origin == "null" and sent.fetch_site == "same-origin":
        return  # a form of a page of ours with `Referrer-Policy: no-referrer` (Fetch, section 3.2)
    _check_source(sent, own_origin, origins)


def _check_source(sent: Sent, own_origin: str, origins: Collection[str]) -> None:
    """Hold what the browser says against what is declared, and against itself.

    A frame in a sandbox has the origin `null`, and so has what somebody else has redirected: nobody
    is allowed to be that.
    """
    elsewhere = sent.origin not in {None, own_origin}
    if elsewhere and (sent.origin == "null" or sent.origin not in origins):
        raise CrossSite("pages of this origin may not send this")
    if sent.fetch_site not in (_FROM_ELSEWHERE if elsewhere else _FROM_HERE):
        raise CrossSite("pages of another origin may not send this")
