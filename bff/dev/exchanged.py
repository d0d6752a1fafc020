"""One exchange with a service as it took place: what recordings are made of."""

from dataclasses import dataclass
from datetime import datetime

from bff.model.exchange import Reply, Request
from bff.upstream.steps import Timings

NO_TIME = Timings(0.0, None, None, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A request, its reply, and when.

    Args:
        base: the address of the service, below which the request's target is.
        fresh_until: where the reply came from the cache and nobody was asked, how long it holds.
    """

    request: Request
    reply: Reply
    base: str
    started: datetime
    timings: Timings = NO_TIME
    fresh_until: datetime | None = None
