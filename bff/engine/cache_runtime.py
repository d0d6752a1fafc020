"""What caching needs at run time: the cache, shared fetches, and background refreshes."""

from collections.abc import Callable
from dataclasses import dataclass

from bff.cache.cache import Cache
from bff.cache.entry import CacheEntry
from bff.engine.background import Background
from bff.engine.shared_fetch import SharedFetches
from bff.model.exchange import Request
from bff.observe.boundary import ErrorBoundary
from bff.upstream.exchange import Clock, Effects, Exchange
from bff.upstream.guard import Guards

OnHit = Callable[[Request, CacheEntry], None]


@dataclass(frozen=True, slots=True)
class CacheRuntime:
    """What caching needs at run time, besides what all requests are made with.

    Args:
        cache: where the entries are.
        fetches: the fetches that requests share.
        background: where stale entries are refreshed.
        on_hit: called for each request that is answered from the cache.
    """

    cache: Cache
    fetches: SharedFetches
    background: Background
    exchange: Exchange
    effects: Effects
    clock: Clock
    on_hit: OnHit | None = None


def cache_runtime(
    cache: Cache,
    exchange: Exchange,
    effects: Effects,
    clock: Clock,
    guards: Guards,
    on_hit: OnHit | None = None,
    boundary: ErrorBoundary | None = None,
) -> CacheRuntime:
    """Make a runtime; its threads start with their first work."""
    fetches = SharedFetches(effects, cache, clock, guards, boundary)
    return CacheRuntime(cache, fetches, Background(boundary), exchange, effects, clock, on_hit)
