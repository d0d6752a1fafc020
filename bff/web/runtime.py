"""What views, streams and relays need besides the engine's runtime; the app makes one."""

from dataclasses import dataclass

from bff.engine.runtime import Runtime
from bff.observe.events import Observer
from bff.store.idempotency import IdempotencyKeys
from bff.store.seal import Seal
from bff.upstream.exchange import NoStreaming, StreamingExchange
from bff.web.access.admission import Admission, Authenticate
from bff.web.access.authenticate import AccessRule
from bff.web.access.rate_limits import RateLimits
from bff.web.event_streams import EventStreams


@dataclass(frozen=True, slots=True)
class WebRuntime:
    """What views, streams and relays need besides the engine's runtime.

    Args:
        authenticate: identifies the client of a request.
        streams: the event streams that are open in this process.
        limits: how often one client may ask; None for no limit.
        once: the answers stored by idempotency key; None where keys are not supported.
        seal: seals the cursors that clients get.
        return_to: further origins that a Location may lead to.
        timing: whether answers carry Server-Timing and the Cache-Status of calls; for development.
    """

    runtime: Runtime
    authenticate: Authenticate
    observer: Observer
    streams: EventStreams
    limits: RateLimits | None = None
    once: IdempotencyKeys | None = None
    seal: Seal | None = None
    return_to: tuple[str, ...] = ()
    timing: bool = False

    @property
    def streaming(self) -> StreamingExchange:
        """The exchange, if it can stream; else one that fails each stream."""
        exchange = self.runtime.exchange
        return exchange if isinstance(exchange, StreamingExchange) else NoStreaming()

    def admission(self, rule: AccessRule) -> Admission:
        """What admits clients by the rule of one view or relay."""
        return Admission(rule, self.authenticate, self.limits, self.observer)
