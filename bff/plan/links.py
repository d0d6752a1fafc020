"""Links of replies: resolved, and followed only to addresses that the service declares."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from bff.errors import BadReply, Unfillable
from bff.model.exchange import Reply, Request
from bff.model.service import Links, Service
from bff.plan.expression import Expression, Scope
from bff.plan.template import has_dots

_MAX: Final = 2048
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER: Final = 303
_REPEATABLE: Final = frozenset({"GET", "HEAD"})


def link_of(follow: Expression, scope: Scope) -> Any:
    """The link to follow. Raises Unfillable where there is none."""
    link = follow.value(scope)
    if link is None:
        raise Unfillable(f"`{follow.source.shown}` is null, where a link is needed")
    return link


def target_of(link: Any, service: Service, base: str = "/") -> str:
    """The target below the service's address that a link means.

    Args:
        base: the target of the request in whose reply a relative link stood.

    Raises:
        BadReply: it leads elsewhere, or cannot be resolved.
    """
    links = service.links or Links(under="")
    if not isinstance(link, str) or not 0 < len(link) <= _MAX or not _is_plain(link):
        raise BadReply("what should be followed is no link")
    own = urlsplit(service.url)
    try:
        parts = urlsplit(urljoin(f"{service.url}{base}", link))
    except ValueError:
        raise BadReply("what should be followed is no link") from None
    origins = {f"{each.scheme}://{each.netloc}" for each in map(urlsplit, service.urls)}
    origins.update(links.origins)
    if f"{parts.scheme}://{parts.netloc}" not in origins:
        raise BadReply("the link leads to another origin")
    path = parts.path or "/"
    if not links.under or not _is_below(path, links.under):
        raise BadReply("the link leads out of what the service declares")
    if not _is_below(path, own.path or "/"):
        raise BadReply("the link leads out of the service's address")
    below = path.removeprefix(own.path)
    return f"{below}?{parts.query}" if parts.query else below


def redirected(request: Request, reply: Reply, service: Service) -> Request | None:
    """The request that a redirect asks for (RFC 9110, section 15.4); None if it is not followed.

    Raises:
        BadReply: it leads to an address that the service does not declare.
    """
    location = reply.header("location")
    if not service.redirects or reply.status not in _REDIRECTS or location is None:
        return None
    if request.method not in _REPEATABLE and reply.status != _SEE_OTHER:
        return None
    target = target_of(location, service, request.target)
    if reply.status == _SEE_OTHER and request.method not in _REPEATABLE:
        headers = tuple(each for each in request.headers if each[0] != "content-type")
        return replace(request, method="GET", target=target, headers=headers, body=b"")
    return replace(request, target=target)


def _is_plain(link: str) -> bool:
    return link.isascii() and link.isprintable() and not set(link) & set(' \\"<>^`{|}')


def _is_below(path: str, top: str) -> bool:
    """Whether a path stays below another, however its dots and slashes are written."""
    seen, before = path, ""
    while seen != before:  # %252f decodes in two steps
        if "//" in seen or "\\" in seen:
            return False
        seen, before = unquote(seen), seen
    if has_dots(path):
        return False
    top = top.rstrip("/")
    return path == top or path.startswith(f"{top}/")
