"""What all requests of a process are conducted with."""

from dataclasses import dataclass, field

from bff.engine.cached_request import Keeper
from bff.observe.boundary import ErrorBoundary
from bff.upstream.exchange import Clock, Effects, Exchange
from bff.upstream.guard import Guards
from bff.upstream.memory import Memory


@dataclass(frozen=True, slots=True)
class Machinery:
    """What carries, waits, guards and keeps, whatever is asked.

    Args:
        guards: what is known of the services.
        keeper: keeps what is declared to be kept; None where nothing is.
        boundary: hears of what is raised unforeseen; without one it ends the request.
        memory: what all requests together may hold.
    """

    exchange: Exchange
    effects: Effects
    clock: Clock
    guards: Guards
    keeper: Keeper | None = None
    boundary: ErrorBoundary = field(default_factory=lambda: ErrorBoundary(raises=True))
    memory: Memory = field(default_factory=Memory)
