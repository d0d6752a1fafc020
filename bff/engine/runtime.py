"""The runtime: the objects that all requests of a process share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bff.cache.cache import Cache
from bff.cache.entry import CacheEntry
from bff.engine.background import Background
from bff.engine.shared_fetch import SharedFetches
from bff.model.exchange import Request
from bff.model.service import Service
from bff.observe.boundary import ErrorBoundary
from bff.upstream.exchange import Clock, Effects, Exchange
from bff.upstream.guard import Guards
from bff.upstream.memory import Memory

OnHit = Callable[[Request, CacheEntry], None]


@dataclass(frozen=True, slots=True)
class Caching:
    """The cache, and what fetches and refreshes its entries.

    Args:
        cache: holds the entries.
        fetches: those under way, each shared by all requests that want its reply.
        background: refreshes stale entries.
        on_hit: called for each request to a service that was answered from the cache.
    """

    cache: Cache
    fetches: SharedFetches
    background: Background
    on_hit: OnHit | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """What all requests of a process share; the app makes one.

    Args:
        exchange: carries requests to services.
        effects: obtains credentials and reads the shared cache, off the request's thread.
        guards: the admission policies of the services, and the state that they act on.
        caching: None where nothing is cached.
        boundary: reports unexpected exceptions; by default they end the request.
        memory: the bytes that replies and values may take in this process.
        services: the services by name.
    """

    exchange: Exchange
    effects: Effects
    clock: Clock
    guards: Guards
    caching: Caching | None = None
    boundary: ErrorBoundary = field(default_factory=lambda: ErrorBoundary(raises=True))
    memory: Memory = field(default_factory=Memory)
    services: Mapping[str, Service] = field(default_factory=dict)


def caching_of(
    cache: Cache,
    effects: Effects,
    clock: Clock,
    guards: Guards,
    boundary: ErrorBoundary | None = None,
    on_hit: OnHit | None = None,
) -> Caching:
    """The caching of a runtime; its threads start with their first job."""
    fetches = SharedFetches(effects, cache, clock, guards, boundary)
    return Caching(cache, fetches, Background(boundary), on_hit)
