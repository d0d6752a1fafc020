"""Is an entry fresh, stale or a miss; may a reply be kept, and for how long: values and a clock.

`cache: upstream` follows RFC 9111; a declared `ttl` replaces the upstream's words on time, never
those on who may see a reply.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal

from bff.cache.directives import Directives, directives_of, freshness_of
from bff.cache.entry import Entry
from bff.model.cache import CacheRule
from bff.model.exchange import Headers, Reply, Request
from bff.model.untrusted import whole_number

Verdict = Literal["fresh", "stale", "error", "expired"]
Shared = Literal["everyone", "claims", "person"]

_SPREAD: Final = 0.1  # of a lifetime, taken off at random: what was loaded at once expires apart
# What describes the bytes that are kept: a 304 has none (RFC 9111, section 3.2).
_OF_THE_BODY: Final = frozenset(
    {"content-encoding", "content-length", "content-range", "content-type", "transfer-encoding"}
)
_VALIDATORS: Final = ("etag", "last-modified")
_MOST_KEPT: Final = 3600.0
_OK: Final = 200
_FIRST_FAILURE: Final = 300
_PARTIAL: Final = 206
# RFC 9110, section 15.1, as far as they are final answers to a GET
_BY_UPSTREAM: Final = frozenset({200, 203, 204, 404, 405, 410, 414, 501})
# sent the same by every request, or never sent at all: they tell nobody from anybody
_CONSTANT: Final = frozenset({"accept", "accept-encoding", "user-agent", "origin"})


@dataclass(frozen=True, slots=True)
class Lifetime:
    """How long something may be kept; seconds, see `Entry`."""

    fresh: float
    stale: float = 0.0
    error: float = 0.0
    keep: float = 0.0


def judge(entry: Entry, now: float) -> Verdict:
    """What an entry is good for.

    Args:
        now: seconds since 1970; a clock that went back makes nothing older.

    Returns:
        `fresh`: as good as new. `stale`: answered while it is refreshed. `error`: only instead of
        a failure. `expired`: at most to be asked about (RFC 9111, section 4.3).
    """
    age = max(0.0, now - entry.stored)
    if age < entry.fresh:
        return "fresh"
    if age < entry.fresh + entry.stale:
        return "stale"
    return "error" if age < entry.fresh + entry.error else "expired"


def stands_in(entry: Entry, now: float) -> bool:
    """Whether an entry may be answered instead of a failure (RFC 5861, section 4)."""
    return max(0.0, now - entry.stored) < entry.fresh + max(entry.stale, entry.error)


def jittered(seconds: float, chance: Callable[[], float]) -> float:
    """A lifetime shortened by up to a tenth; `chance` gives 0 to 1."""
    return seconds * (1 - _SPREAD * chance())


def lifetime(
    rule: CacheRule,
    request: Request,
    reply: Reply,
    shared: Shared,
    now: float,
    chance: Callable[[], float],
) -> Lifetime | None:
    """How long a reply may be kept; None if not at all.

    Args:
        shared: who would get it.
        now: seconds since 1970.
    """
    said = directives_of(reply.headers)
    if not _may_be_kept(said, request, reply, shared):
        return None
    if rule.by_upstream:
        return _by_upstream(rule, said, request, reply, shared, now)
    if _OK <= reply.status < _FIRST_FAILURE and reply.status != _PARTIAL:
        assert rule.ttl is not None  # noqa: S101 - it is not by_upstream
        fresh = jittered(rule.ttl, chance)
        return Lifetime(fresh, rule.stale, rule.stale_if_error, _kept_to_ask(reply.headers, fresh))
    if reply.status in rule.statuses:  # of a failure no copy stands in for another failure
        return Lifetime(jittered(rule.statuses[reply.status], chance))
    return None


def may_be_shared(said: Directives, sent: Collection[str], headers: Headers) -> bool:
    """Whether a reply may be answered to others than the one it was made for.

    Args:
        sent: names of the headers that went into its request, and so into its key.
    """
    vary = _vary(headers)
    cookie = any(name == "set-cookie" for name, _ in headers)
    known = all(name in sent or name in _CONSTANT for name in vary)
    return known and "private" not in said and not cookie


def _may_be_kept(said: Directives, request: Request, reply: Reply, shared: Shared) -> bool:
    if "no-store" in said or "*" in _vary(reply.headers):
        return False
    sent = {name for name, _ in request.headers}
    return shared == "person" or may_be_shared(said, sent, reply.headers)


def _vary(headers: Headers) -> list[str]:
    fields = [value for name, value in headers if name == "vary"]
    return [name.strip().lower() for value in fields for name in value.split(",") if name.strip()]


def _by_upstream(
    rule: CacheRule,
    said: Directives,
    request: Request,
    reply: Reply,
    shared: Shared,
    now: float,
) -> Lifetime | None:
    negative = reply.status in rule.statuses
    if reply.status not in _BY_UPSTREAM and not negative:
        return None
    by_name = any(name == "authorization" for name, _ in request.headers)
    allowed = said.keys() & {"public", "must-revalidate", "s-maxage"}
    if shared != "person" and by_name and not allowed:  # RFC 9111, section 3.5
        return None
    fresh = freshness_of(said, reply.headers, now, shared=shared != "person")
    keep = _kept_to_ask(reply.headers, fresh or 0.0)
    if fresh is None and not negative:
        if not keep or reply.status != _OK:
            return None
        fresh = 0.0
    if fresh is None:
        fresh = rule.statuses[reply.status]
    strict = said.keys() & {"must-revalidate", "no-cache"} or (
        shared != "person" and "proxy-revalidate" in said
    )
    if strict or reply.status >= _FIRST_FAILURE:
        return Lifetime(fresh, keep=keep) if fresh or keep else None
    stale = said.seconds("stale-while-revalidate")
    error = said.seconds("stale-if-error")
    stale = rule.stale if stale is None else stale
    error = rule.stale_if_error if error is None else error
    return Lifetime(fresh, stale, error, keep) if fresh + stale + error + keep else None


def _kept_to_ask(headers: Headers, fresh: float) -> float:
    """Seconds for which an expired reply is kept so that the upstream can say that it holds."""
    if not any(name in _VALIDATORS for name, _ in headers):
        return 0.0
    return min(_MOST_KEPT, max(60.0, 10 * fresh))


def conditional(entry: Entry) -> Headers:
    """The headers that ask whether an entry still holds (RFC 9111, section 4.3.1)."""
    found = []
    etag, modified = entry.header("etag"), entry.header("last-modified")
    if etag:
        found.append(("if-none-match", etag))
    if modified:
        found.append(("if-modified-since", modified))
    return tuple(found)


def confirms(entry: Entry, reply: Reply) -> bool:
    """Whether a 304 is about what is kept, and not about another version (RFC 9111, 4.3.4)."""
    etag, kept = reply.header("etag"), entry.header("etag")
    if etag is None:
        return True
    return _opaque(etag) == _opaque(kept) if kept is not None else etag.startswith("W/")


def _opaque(etag: str) -> str:
    """An entity tag as weak comparison takes it (RFC 9110, section 8.8.3.2)."""
    return etag.strip().removeprefix("W/")


def confirmed(entry: Entry, reply: Reply) -> Reply:
    """The kept reply, with what a 304 says anew (RFC 9111, section 3.2)."""
    anew = {name for name, _ in reply.headers} - _OF_THE_BODY
    kept = [(name, value) for name, value in entry.headers if name not in anew]
    fresh = [(name, value) for name, value in reply.headers if name in anew]
    return Reply(entry.status, (*kept, *fresh), entry.body)


def age_of(reply: Reply) -> float:
    """Seconds that a reply spent in caches before it came here (RFC 9111, section 5.1)."""
    return float(whole_number((reply.header("age") or "").strip()) or 0)
