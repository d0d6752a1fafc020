"""One request of a call on a thread of its own, without a conductor: a stale entry is refreshed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bff.engine.attempts import Attempts
from bff.engine.budget import Budget
from bff.engine.fanout import FanOut, Unit
from bff.engine.outcomes import Running
from bff.engine.run_context import Means, Whole
from bff.errors import BffError
from bff.model.exchange import Deadline, Request
from bff.observe.boundary import without_frames
from bff.plan.order import Node
from bff.upstream.exchange import Clock, Effects, Exchange


def pursue_unattended(
    parts: tuple[Exchange, Effects, Clock],
    means: Means,
    node: Node,
    request: Request,
    begin: Callable[[Means, Whole, Running], None],
) -> None:
    """Have a request pursued to its end, within its call's time-out.

    Args:
        parts: what carries it, and time.
        means: those of the answer behind which it is made; it has the same credentials.
        begin: begins the pursuit.
    """
    exchange, effects, clock = parts
    over = _Over()
    attempts = Attempts(exchange, effects, clock, clock.mailbox())
    own = replace(
        means,
        attempts=attempts,
        budget=Budget(10, node.compiled.service.max_reply * 10),
        lease=means.lease.another(),
        credentials=dict(means.credentials),
        replies={},
    )
    ends = Deadline(clock.now() + node.compiled.timeout)
    call = Running(node, FanOut([Unit(request)]), [None], 1, clock.now(), ends)
    try:
        begin(own, over, call)
        attempts.attend(ends, lambda: over.done)
    finally:
        attempts.give_up()


class _Over:
    """What hears of the request: that it has ended, however that may be."""

    def __init__(self) -> None:
        self.done = False

    def ended(self, _call: Running, _index: int, result: Any) -> None:
        """It has come to something; what it brought is kept."""
        without_frames(result)
        self.done = True

    def unauthorized(self, _error: BffError) -> None:
        """Whoever it was for has to sign in again."""
        self.done = True
