"""Finds the next page of a list, by pure decisions about replies and requests.

A position identifies a page: the text of a cursor, the number of items before it, or the target of
a link, below the service's address. None is the first page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from bff.errors import BadReply, Unfillable
from bff.model.exchange import Reply, Request
from bff.model.pages import Pages
from bff.model.service import Service
from bff.plan.expression import Expression
from bff.plan.links import target_of
from bff.plan.template import as_text, encode_query

Position = str | int
LONGEST: Final = 2048  # characters of a cursor: it goes to the client, and comes back in a URL
_COUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)  # more digits are no plausible page size
_LINK: Final = re.compile(r'[\s,]*<([^<>]*)>((?:[^,"<]|"(?:[^"\\]|\\.)*")*)(?:,|$)')
_PARAMETER: Final = re.compile(r';\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')


@dataclass(frozen=True, slots=True)
class Paging:
    """The pagination of a call, compiled.

    Args:
        next: selects the cursor or the link of the next page in a reply.
    """

    pages: Pages
    next: Expression | None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    Args:
        next: the cursor or link of the next page, as in the reply; None after the last page.
    """

    items: list[Any]
    next: Any = None


def page_of(paging: Paging, value: Any, items: Any, reply: Reply) -> Page:
    """The page that a reply contains.

    Args:
        value: the decoded reply; `items` is the list in it.

    Raises:
        BadReply: `items` is not a list, or the `Link` header cannot be parsed.
        Unfillable: the expression of the next page cannot be computed.
    """
    if not isinstance(items, list):
        raise BadReply("the items of a page are not a list")
    if paging.pages.turn == "link":
        after: Any = next_link(value for name, value in reply.headers if name == "link")
    else:
        after = paging.next.value(value) if paging.next and value is not None else None
    return Page(items, None if after is False or after == "" else after)


def next_link(values: Iterator[str]) -> str | None:
    """The target of the link whose relation is `next` (RFC 8288, section 3); None without one.

    A link with an anchor has another context, and is ignored (section 3.2).

    Raises:
        BadReply: the header cannot be parsed.
    """
    for text in values:
        at = 0
        while text[at:].strip(" \t,"):
            found = _LINK.match(text, at)
            if not found:
                raise BadReply("the Link header cannot be read")
            at = found.end()
            named: dict[str, str] = {}
            for name, quoted, plain in _PARAMETER.findall(found[2]):
                named.setdefault(name.lower(), quoted or plain)  # the first counts (section 3.3)
            if "next" in named.get("rel", "").lower().split() and "anchor" not in named:
                return found[1].strip()
    return None


def following(
    paging: Paging, service: Service, request: Request, position: Position | None, page: Page
) -> Position | None:
    """The position of the next page; None after the last.

    Args:
        request: the request of the page, and `position` its position.

    Raises:
        BadReply: it is malformed, or leads to an address that the service does not declare.
    """
    pages = paging.pages
    if pages.turn == "offset":
        count = len(page.items)
        last = count == 0 or (bool(pages.size) and count < _size(pages.size, request))
        return None if last else (position if isinstance(position, int) else 0) + count
    if page.next is None:
        return None
    if pages.turn != "cursor":
        return target_of(page.next, service, request.target)
    if isinstance(page.next, bool):
        raise BadReply("the cursor of a page is no text")
    try:
        cursor = as_text(page.next, "cursor")
        cursor.encode()
    except Unfillable as fault:
        raise BadReply(str(fault)) from None
    except UnicodeEncodeError:
        raise BadReply("the cursor of a page has half of a surrogate pair") from None
    if len(cursor) > LONGEST:
        raise BadReply(f"the cursor of a page has more than {LONGEST} characters")
    return cursor


def turned_to(
    paging: Paging, service: Service, request: Request, position: Position | None
) -> Request:
    """The request for the page at a position.

    Args:
        request: that for the first page, or for any other.

    Raises:
        BadReply: the position leads to an address that the service does not declare.
    """
    if position is None:
        return request
    if paging.pages.turn in {"link", "follow"}:
        here = f"{urlsplit(service.url).path}{position}"
        return replace(request, target=target_of(here, service))
    path, _, query = request.target.partition("?")
    own = encode_query([(paging.pages.name, position)])
    name = own.partition("=")[0]
    others = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != name]
    return replace(request, target=f"{path}?{'&'.join([*others, own])}")


def _size(name: str, request: Request) -> int:
    """The page size that was requested."""
    given = parse_qs(request.target.partition("?")[2]).get(name, [""])[0]
    return int(given) if _COUNT.fullmatch(given) else 1
