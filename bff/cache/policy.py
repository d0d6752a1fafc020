"""Cache policy: the state of an entry, and whether and how long a reply may be stored.

Pure functions of values and a clock. `cache: upstream` follows RFC 9111. A declared `ttl` replaces
the upstream's directives on time, never those on who may receive a reply.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final, Literal

from bff.cache.directives import Directives, directives_of, freshness_lifetime
from bff.cache.entry import CacheEntry
from bff.model.cache import CacheRule
from bff.model.exchange import Headers, Reply, Request
from bff.model.untrusted import whole_number

EntryState = Literal["fresh", "stale", "error", "expired"]
Shared = Literal["everyone", "claims", "person"]

# The part of a lifetime that is taken off at random, so that entries that were fetched at the same
# time do not expire at the same time.
_SPREAD: Final = 0.1
# Headers that describe the stored body, which a 304 does not have (RFC 9111, section 3.2).
_OF_THE_BODY: Final = frozenset(
    {"content-encoding", "content-length", "content-range", "content-type", "transfer-encoding"}
)
_VALIDATORS: Final = ("etag", "last-modified")
_MAX_KEEP: Final = 3600.0  # seconds
_OK: Final = 200
_FIRST_FAILURE: Final = 300
_PARTIAL: Final = 206
# RFC 9110, section 15.1, as far as they are final answers to a GET
_BY_UPSTREAM: Final = frozenset({200, 203, 204, 404, 405, 410, 414, 501})
# headers that all requests send alike or not at all, so that no reply varies by them
_CONSTANT: Final = frozenset({"accept", "accept-encoding", "user-agent", "origin"})


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The lifetimes of an entry in seconds; see `CacheEntry`."""

    fresh: float
    stale: float = 0.0
    error: float = 0.0
    keep: float = 0.0


def state_at(entry: CacheEntry, now: float) -> EntryState:
    """The state of an entry at a time.

    Args:
        now: seconds since 1970; the age is 0 where the clock was set back.

    Returns:
        `fresh`: it may be answered. `stale`: it may be answered while it is refreshed in the
        background. `error`: it may only be answered instead of a failure. `expired`: it may at
        most be revalidated (RFC 9111, section 4.3).
    """
    age = max(0.0, now - entry.stored)
    if age < entry.fresh:
        return "fresh"
    if age < entry.fresh + entry.stale:
        return "stale"
    return "error" if age < entry.fresh + entry.error else "expired"


def usable_on_error(entry: CacheEntry, now: float) -> bool:
    """Whether an entry may be answered instead of a failure (stale-if-error, RFC 5861, 4)."""
    return max(0.0, now - entry.stored) < entry.fresh + max(entry.stale, entry.error)


def jittered(seconds: float, chance: Callable[[], float]) -> float:
    """A lifetime in seconds, shortened at random by up to a tenth; `chance` returns 0 to 1."""
    return seconds * (1 - _SPREAD * chance())


def lifetime(
    rule: CacheRule,
    request: Request,
    reply: Reply,
    shared: Shared,
    now: float,
    chance: Callable[[], float],
) -> Lifetime | None:
    """The lifetimes of a reply; None if it may not be stored.

    Args:
        shared: the users that it would be answered to.
        now: seconds since 1970.
        chance: random numbers from 0 to 1, by which the lifetime is spread.
    """
    directives = directives_of(reply.headers)
    if not _may_be_stored(directives, request, reply, shared):
        return None
    if rule.by_upstream:
        return _by_upstream(rule, directives, request, reply, shared, now)
    if _OK <= reply.status < _FIRST_FAILURE and reply.status != _PARTIAL:
        assert rule.ttl is not None  # noqa: S101 - else the rule is by_upstream
        fresh = jittered(rule.ttl, chance)
        return Lifetime(
            fresh, rule.stale, rule.stale_if_error, _seconds_to_revalidate(reply.headers, fresh)
        )
    if reply.status in rule.statuses:  # a stored failure is no substitute for another failure
        return Lifetime(jittered(rule.statuses[reply.status], chance))
    return None


def may_be_shared(directives: Directives, sent: Collection[str], headers: Headers) -> bool:
    """Whether a reply may be answered to users other than the one it was made for.

    Args:
        directives: of its Cache-Control.
        sent: names of the headers of its request, which are part of its key.
    """
    vary = _vary(headers)
    cookie = any(name == "set-cookie" for name, _ in headers)
    known = all(name in sent or name in _CONSTANT for name in vary)
    return known and "private" not in directives and not cookie


def _may_be_stored(directives: Directives, request: Request, reply: Reply, shared: Shared) -> bool:
    if "no-store" in directives or "*" in _vary(reply.headers):
        return False
    sent = {name for name, _ in request.headers}
    return shared == "person" or may_be_shared(directives, sent, reply.headers)


def _vary(headers: Headers) -> list[str]:
    fields = [value for name, value in headers if name == "vary"]
    return [name.strip().lower() for value in fields for name in value.split(",") if name.strip()]


def _by_upstream(
    rule: CacheRule,
    directives: Directives,
    request: Request,
    reply: Reply,
    shared: Shared,
    now: float,
) -> Lifetime | None:
    negative = reply.status in rule.statuses
    if reply.status not in _BY_UPSTREAM and not negative:
        return None
    authorized = any(name == "authorization" for name, _ in request.headers)
    allowed = directives.keys() & {"public", "must-revalidate", "s-maxage"}
    if shared != "person" and authorized and not allowed:  # RFC 9111, section 3.5
        return None
    fresh = freshness_lifetime(directives, reply.headers, now, shared=shared != "person")
    keep = _seconds_to_revalidate(reply.headers, fresh or 0.0)
    if fresh is None and not negative:
        if not keep or reply.status != _OK:
            return None
        fresh = 0.0
    if fresh is None:
        fresh = rule.statuses[reply.status]
    strict = directives.keys() & {"must-revalidate", "no-cache"} or (
        shared != "person" and "proxy-revalidate" in directives
    )
    if strict or reply.status >= _FIRST_FAILURE:
        return Lifetime(fresh, keep=keep) if fresh or keep else None
    stale = directives.seconds("stale-while-revalidate")
    error = directives.seconds("stale-if-error")
    stale = rule.stale if stale is None else stale
    error = rule.stale_if_error if error is None else error
    return Lifetime(fresh, stale, error, keep) if fresh + stale + error + keep else None


def _seconds_to_revalidate(headers: Headers, fresh: float) -> float:
    """Seconds for which an expired reply is stored so that it can be revalidated."""
    if not any(name in _VALIDATORS for name, _ in headers):
        return 0.0
    return min(_MAX_KEEP, max(60.0, 10 * fresh))


def conditional_headers(entry: CacheEntry) -> Headers:
    """The headers that make a request a revalidation of an entry (RFC 9111, section 4.3.1)."""
    found = []
    etag, modified = entry.header("etag"), entry.header("last-modified")
    if etag:
        found.append(("if-none-match", etag))
    if modified:
        found.append(("if-modified-since", modified))
    return tuple(found)


def confirms(entry: CacheEntry, reply: Reply) -> bool:
    """Whether a 304 is about the stored reply, and not about another version (RFC 9111, 4.3.4)."""
    etag, stored = reply.header("etag"), entry.header("etag")
    if etag is None:
        return True
    return _opaque(etag) == _opaque(stored) if stored is not None else etag.startswith("W/")


def _opaque(etag: str) -> str:
    """An entity tag without what weak comparison ignores (RFC 9110, section 8.8.3.2)."""
    return etag.strip().removeprefix("W/")


def confirmed(entry: CacheEntry, reply: Reply) -> Reply:
    """The stored reply with its headers updated from a 304 (RFC 9111, section 3.2)."""
    updated = {name for name, _ in reply.headers} - _OF_THE_BODY
    old = [(name, value) for name, value in entry.headers if name not in updated]
    new = [(name, value) for name, value in reply.headers if name in updated]
    return Reply(entry.status, (*old, *new), entry.body)


def age_of(reply: Reply) -> float:
    """Seconds that a reply has spent in upstream caches (RFC 9111, section 5.1)."""
    return float(whole_number((reply.header("age") or "").strip()) or 0)
