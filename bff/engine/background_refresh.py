"""Refreshes a stale cache entry: one request of a call, on a background thread."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bff.engine.attempts import Attempts
from bff.engine.budget import Budget
from bff.engine.fanout import FanOut, Unit
from bff.engine.outcomes import RunningCall
from bff.engine.run_context import CallListener, RunContext
from bff.errors import BffError
from bff.model.exchange import Deadline, Request
from bff.observe.boundary import without_frames
from bff.plan.order import Node


def refresh_request(
    context: RunContext,
    node: Node,
    request: Request,
    begin: Callable[[RunContext, CallListener, RunningCall], None],
) -> None:
    """Send a request, and wait until it ends or the call times out.

    Args:
        context: of the answer that got the stale entry, with the same credentials; the request is
            sent by the runtime's own exchange.
        begin: sends the request.
    """
    runtime, clock = context.runtime, context.runtime.clock
    listener = _RefreshListener()
    attempts = Attempts(runtime.exchange, runtime.effects, clock, clock.mailbox())
    own = replace(
        context,
        attempts=attempts,
        budget=Budget(10, node.compiled.service.max_reply * 10),
        lease=context.lease.another(),
        credentials=dict(context.credentials),
        replies={},
    )
    ends = Deadline(clock.now() + node.compiled.timeout)
    call = RunningCall(node, FanOut([Unit(request)]), [None], 1, clock.now(), ends)
    try:
        begin(own, listener, call)
        attempts.attend(ends, lambda: listener.done)
    finally:
        attempts.give_up()


class _RefreshListener:
    """Waits for the end of the request, which stores its reply in the cache."""

    def __init__(self) -> None:
        self.done = False

    def ended(self, _call: RunningCall, _index: int, result: Any) -> None:
        """The request has a value or an error."""
        without_frames(result)
        self.done = True

    def unauthorized(self, _error: BffError) -> None:
        """The user that it was sent for has to sign in again."""
        self.done = True
