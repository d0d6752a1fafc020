"""A completed exchange with a service, from which recordings are made."""

from dataclasses import dataclass
from datetime import datetime

from bff.model.exchange import Reply, Request
from bff.upstream.connection_events import Timings

NO_TIME = Timings(0.0, None, None, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """A request, its reply, and their times.

    Args:
        base: the URL of the service; the request's target is relative to it.
        fresh_until: for a reply from the cache, when it becomes stale.
    """

    request: Request
    reply: Reply
    base: str
    started: datetime
    timings: Timings = NO_TIME
    fresh_until: datetime | None = None
