"""One cached fetch: the algorithm under cached views and cached calls, without any I/O.

`cached_fetch` is a generator. It yields steps, is sent their results, and returns the outcome:

1. Look in memory; where that has no entry that can be answered, look in the shared store.
2. A fresh entry is answered. A stale one is answered too, and refreshed in the background
   (stale-while-revalidate, RFC 5861, section 3).
3. Otherwise the response is fetched.
4. If the fetch fails, a stored entry may be answered instead (stale-if-error, RFC 5861, section 4).

How a step is performed is up to the caller. A view waits for it on its own thread (`perform`); a
call leaves waiting to its conductor, and sends the result when it is there.
"""

from collections.abc import Callable, Generator, Hashable
from dataclasses import dataclass
from typing import Any, Final

from bff.cache.cache import Cache, Lookup, RemoteLookup
from bff.cache.entry import CacheEntry
from bff.cache.key import CacheKey
from bff.cache.policy import usable_on_error
from bff.model.exchange import Freshness

UNUSABLE: Final = object()  # the result of `Decode` for an entry that cannot be answered
_ANSWERABLE: Final = frozenset({"fresh", "stale"})


@dataclass(frozen=True, slots=True)
class Decode:
    """Step: decode an entry. Its result is a value, or `UNUSABLE`."""

    entry: CacheEntry


@dataclass(frozen=True, slots=True)
class Refresh:
    """Step: start a refresh in the background. It has no result."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Step: fetch the response, once for all who want it at the moment. Its result is a `Fetched`.

    Args:
        lookup: where to store the response, and the entry that it may revalidate.
    """

    lookup: Lookup


@dataclass(frozen=True, slots=True)
class Fetched:
    """The outcome of a fetch.

    Args:
        failure: for a failure instead of which a stored entry may be answered, its reason.
    """

    value: Any
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """The outcome where a stored entry is answered.

    Args:
        value: of the entry, decoded.
        instead_of: the failed fetch, if there was one.
    """

    value: Any
    entry: CacheEntry
    address: str | None
    freshness: Freshness
    instead_of: Fetched | None = None


Step = RemoteLookup | Decode | Refresh | Fetch
Steps = Generator[Step, Any, Hit | Fetched]


def cached_fetch(cache: Cache, key: CacheKey) -> Steps:
    """The steps of a fetch that may be answered from the cache; see the module.

    The result of `RemoteLookup` is a `Lookup`, an empty one if the store did not reply in time.
    """
    lookup = cache.get_local(key)
    state = cache.state_of(lookup.entry)
    if lookup.ask_shared and state not in _ANSWERABLE:
        lookup = yield RemoteLookup(key)
        state = cache.state_of(lookup.entry)
    entry = lookup.entry
    if entry is None or state not in _ANSWERABLE:
        cache.count("miss")
    else:
        value = yield Decode(entry)
        if value is not UNUSABLE:
            cache.count(state)
            if state == "stale":
                yield Refresh()
            return Hit(value, entry, lookup.address, freshness_of(entry, cache.now()))
    fetched: Fetched = yield Fetch(lookup)
    if entry is None or fetched.failure is None or not usable_on_error(entry, cache.now()):
        return fetched
    value = yield Decode(entry)
    if value is UNUSABLE:
        return fetched
    cache.count("error")
    freshness = freshness_of(entry, cache.now(), reason=fetched.failure)
    return Hit(value, entry, lookup.address, freshness, fetched)


def refresh(lookup: Lookup) -> Steps:
    """The steps of a refresh in the background; see `lookup_to_refresh`."""
    fetched: Fetched = yield Fetch(lookup)
    return fetched


def lookup_to_refresh(cache: Cache, key: CacheKey) -> Lookup | None:
    """The lookup with which to refresh an entry; blocks.

    Returns:
        None if another process has refreshed it, or a response could not be stored.
    """
    lookup = cache.get_local(key)
    if lookup.ask_shared:
        lookup = cache.get_shared(RemoteLookup(key))
    if lookup.address is None or cache.state_of(lookup.entry) == "fresh":
        return None
    return lookup


def perform(steps: Steps, do: Callable[[Step], Any]) -> Hit | Fetched:
    """Perform each step at once, on the caller's thread.

    Args:
        do: performs a step, and returns its result.
    """
    try:
        step = next(steps)
        while True:
            step = steps.send(do(step))
    except StopIteration as end:
        outcome: Hit | Fetched = end.value
        return outcome


def flight_key(cache: Cache, key: CacheKey, lookup: Lookup) -> Hashable:
    """The key under which concurrent fetches of one response share a flight.

    It changes with each invalidation, as an address does: a fetch that began before an invalidation
    is not shared with a request that came after it.
    """
    return lookup.address or (key.digest, cache.changes)


def freshness_of(
    entry: CacheEntry, now: float, *, hit: bool = True, collapsed: bool = False, reason: str = ""
) -> Freshness:
    """How fresh an entry is, for the log, metrics and Cache-Status.

    Args:
        now: seconds since 1970.
        hit: whether it was stored before the request.
        collapsed: whether it was fetched for another request.
        reason: of the failure instead of which it is answered.
    """
    age = max(0.0, now - entry.stored)
    return Freshness(hit, entry.fresh - age, age, collapsed, reason)
