"""Gauges of a process: pools, limits, memory and caches, sampled every few seconds."""

from collections.abc import Callable, Iterable

from bff.cache.cache import Cache
from bff.declare import snapshot
from bff.declare.settings import Settings
from bff.observe.instruments import (
    ACTIVE,
    ADDRESS,
    BUDGET,
    CACHE_AWAY,
    CACHE_BOUND,
    CACHE_BYTES,
    EVICTED,
    INVALIDATED,
    MEMORY,
    MEMORY_REFUSED,
    MEMORY_TAKEN,
    PLACES,
    POOL,
    POOL_BUSY,
    POOL_WAITING,
    READING,
    REFUSED,
    SESSIONS_AWAY,
    TAKEN,
    THREADS,
    WAITING,
    WORKERS_ENDED,
    Measurement,
    address_of,
)
from bff.observe.worker_exits import EXPECTED
from bff.upstream.exchange import Exchange, MeasuredExchange
from bff.upstream.guard import Guards
from bff.upstream.memory import Memory
from bff.web.management.reading_threads import BODIES, HEADS
from bff.web.management.store_watch import StoreWatch


def gauge_values(
    guards: Guards,
    exchange: Exchange,
    cache: Cache | None,
    settings: Settings,
    answering: Callable[[], int],
    memory: Memory,
    sessions: StoreWatch,
) -> Iterable[Measurement]:
    """The current value of every gauge."""
    yield THREADS, (), settings.threads
    yield ACTIVE, (), answering()
    yield READING, ("head",), len(HEADS)
    yield READING, ("body",), len(BODIES)
    for reason in EXPECTED:  # so that Prometheus sees an increase to 1
        yield WORKERS_ENDED, (reason,), 0
    yield REFUSED, (), bool(snapshot.rejection())
    yield SESSIONS_AWAY, (), bool(sessions.reason())
    yield MEMORY, (), memory.most
    yield MEMORY_TAKEN, (), memory.taken
    yield MEMORY_REFUSED, (), memory.refused
    for service, seen in guards.snapshot().items():
        yield PLACES, (service,), seen.places
        yield TAKEN, (service,), seen.in_flight
        yield WAITING, (service,), seen.waiting
        yield BUDGET, (service,), seen.extra_refused
        for url, address in seen.addresses.items():
            where = (service, address_of(url))
            yield ADDRESS, (*where, "open"), address["state"] == "open"
            yield ADDRESS, (*where, "half_open"), address["state"] == "half_open"
            yield ADDRESS, (*where, "ejected"), address["ejected"]
    if isinstance(exchange, MeasuredExchange):
        usage = exchange.usage()
        yield POOL, (), usage.size
        yield POOL_BUSY, (), usage.busy
        yield POOL_WAITING, (), usage.waiting
    if cache:
        stats = cache.stats()
        yield CACHE_BYTES, (), stats["memory"]["bytes"]
        yield CACHE_BOUND, (), stats["memory"]["bound"]
        yield EVICTED, (), stats["memory"]["evicted"]
        yield INVALIDATED, (), stats["looked_up"]["invalidated"]
        yield CACHE_AWAY, (), bool(cache.unavailable())
