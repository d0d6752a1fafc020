"""What views and relays run on: made once for a process, by the app."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bff.engine.cached_request import Keeper
from bff.model.service import Service
from bff.observe.boundary import ErrorBoundary
from bff.observe.events import Observer
from bff.store.idempotency import IdempotencyKeys
from bff.store.seal import Seal
from bff.upstream.exchange import Clock, Effects, Exchange
from bff.upstream.guard import Guards
from bff.upstream.memory import Memory
from bff.web.access.admission import Authenticate
from bff.web.access.limits import RateLimits


@dataclass(frozen=True, slots=True)
class Engine:
    """What views and relays run on.

    Args:
        guards: what is known of the services, shared by all requests.
        authenticate: says who asks, from the request.
        limits: how often one person may ask; None for as often as they like.
        services: what expressions may know of services.
        timing: whether answers carry Server-Timing; for development, it tells of the inside.
        keeper: keeps what is declared to be kept; None where nothing is.
        once: keeps what was answered to keys; None where no keys are honoured.
        seal: seals the cursors that go out.
        memory: what all requests together may hold.
        boundary: hears of what is raised unforeseen.
    """

    exchange: Exchange
    effects: Effects
    clock: Clock
    guards: Guards
    authenticate: Authenticate
    services: Mapping[str, Service]
    observer: Observer
    limits: RateLimits | None = None
    timing: bool = False
    keeper: Keeper | None = None
    once: IdempotencyKeys | None = None
    seal: Seal | None = None
    memory: Memory = field(default_factory=Memory)
    boundary: ErrorBoundary = field(default_factory=ErrorBoundary)
