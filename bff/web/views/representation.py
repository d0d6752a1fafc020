"""The representation of a view's answer (RFC 9110, section 3.2): its final body and its headers."""

from dataclasses import dataclass, replace
from math import inf
from typing import Final

import orjson

from bff.cache.entry import CacheEntry
from bff.model.exchange import Headers

_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class Representation:
    """An answer as it is sent, except for what depends on the request: coding, 304, Cache-Control.

    Args:
        headers: without ETag, Cache-Control and Vary, which are made for each request.
        etag: a strong validator of the body (RFC 9110, section 8.8.3); None for an answer that
            clients may not store.
        until: seconds since 1970 up to which clients may take it for fresh; infinite if none of its
            parts sets a bound.
        storable: whether all of its parts may be stored.
        shareable: whether all of its parts may be answered to other users.
        partial: whether it lacks parts that failed.
    """

    status: int
    headers: Headers
    body: bytes
    etag: str | None = None
    until: float = inf
    storable: bool = True
    shareable: bool = True
    partial: bool = False

    def until_at_most(self, until: float) -> "Representation":
        """The representation, fresh up to a time at most (seconds since 1970)."""
        return replace(self, until=min(self.until, until))


def to_entry(
    made: Representation, stored: float, fresh: float, stale: float, error: float, label: str
) -> CacheEntry:
    """The cache entry of a representation; see `CacheEntry` for its times."""
    until = None if made.until == inf else made.until  # JSON has no infinity
    fields = [until, made.storable, made.shareable, made.partial, made.etag]
    attributes = orjson.dumps(fields).decode()
    times = (stored, fresh, stale, error)
    return CacheEntry(
        made.status, made.headers, made.body, *times, label=label, attributes=attributes
    )


def from_entry(entry: CacheEntry) -> Representation | None:
    """The representation that `to_entry` has made an entry of; None for any other entry."""
    try:
        fields = orjson.loads(entry.attributes)
    except ValueError:
        return None
    if type(fields) is not list or len(fields) != _FIELDS:
        return None
    until, storable, shareable, partial, etag = fields
    flags = type(storable) is type(shareable) is type(partial) is bool
    bounded = until is None or type(until) is float
    if not flags or not bounded or not (etag is None or type(etag) is str):
        return None
    until = inf if until is None else until
    answer = (entry.status, entry.headers, entry.body)
    return Representation(*answer, etag, until, storable, shareable, partial)
