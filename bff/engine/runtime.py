"""What all requests of a process are conducted with."""

from dataclasses import dataclass, field

from bff.engine.cache_runtime import CacheRuntime
from bff.observe.boundary import ErrorBoundary
from bff.upstream.exchange import Clock, Effects, Exchange
from bff.upstream.guard import Guards
from bff.upstream.memory import Memory


@dataclass(frozen=True, slots=True)
class Machinery:
    """What carries, waits, guards and keeps, whatever is asked.

    Args:
        guards: what is known of the services.
        caching: what caching needs; None where nothing is cached.
        boundary: hears of what is raised unforeseen; without one it ends the request.
        memory: what all requests together may hold.
    """

    exchange: Exchange
    effects: Effects
    clock: Clock
    guards: Guards
    caching: CacheRuntime | None = None
    boundary: ErrorBoundary = field(default_factory=lambda: ErrorBoundary(raises=True))
    memory: Memory = field(default_factory=Memory)
