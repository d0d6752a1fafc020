"""Lists that services give in pages: how the pages follow each other, and what is read of them."""

from dataclasses import dataclass
from typing import Literal

from bff.model.source import Source

Turn = Literal["cursor", "offset", "link", "follow"]


@dataclass(frozen=True, slots=True)
class Pages:
    """How the pages of a list follow each other, and how many are read for one answer.

    Args:
        turn: by what the next page is found: a cursor in the reply, the number of items that came
            before it, a `Link` header (RFC 8288), or a link in the reply.
        name: the query parameter that carries a cursor or an offset to the service.
        next: where in a reply the cursor or the link is.
        size: the query parameter that says how many items a page has; empty for none.
        gather: so many pages at most are read for one answer; 0 where the client turns them.
        param: the view's query parameter that carries the client's cursor; empty where pages are
            gathered.
        partial: whether the pages before one that failed count.
        truncate: whether what comes after the last page that is gathered is left out.
    """

    turn: Turn
    name: str = ""
    next: Source | None = None
    size: str = ""
    gather: int = 0
    param: str = ""
    partial: bool = False
    truncate: bool = False
