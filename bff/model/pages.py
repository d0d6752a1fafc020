"""Pagination of lists of services, as declared."""

from dataclasses import dataclass
from typing import Literal

from bff.model.source import Source

Turn = Literal["cursor", "offset", "link", "follow"]


@dataclass(frozen=True, slots=True)
class Pages:
    """How the next page of a list is found, and how many are read for one answer.

    Args:
        turn: how the next page is found: a cursor in the reply, the offset of its first item, a
            `Link` header (RFC 8288), or a link in the reply.
        name: the query parameter that carries a cursor or an offset to the service.
        next: selects the cursor or the link in a reply.
        size: the query parameter for the number of items of a page; empty for none.
        gather: the most pages read for one answer; 0 where the client asks page by page.
        param: the view's query parameter that carries the client's cursor; empty where pages are
            gathered.
        partial: whether the pages before a failed one are answered.
        truncate: whether a list that is longer than `gather` pages is cut, in place of a failure.
    """

    turn: Turn
    name: str = ""
    next: Source | None = None
    size: str = ""
    gather: int = 0
    param: str = ""
    partial: bool = False
    truncate: bool = False
