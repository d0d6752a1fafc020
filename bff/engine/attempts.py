"""What is under way for one answer, and when each of it must have ended."""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Protocol

from bff.errors import TimedOut
from bff.model.exchange import Deadline, Request
from bff.upstream.exchange import Clock, Completion, Effect, Effects, Exchange, Mailbox

# What is done with how an attempt ended: its result, or the error in its place.
Then = Callable[[Any], None]


class Carrier(Protocol):
    """What takes something up and gives it up: an exchange, effects, loads."""

    def start(self, what: Any, deadline: Deadline, attempt: int, mailbox: Mailbox, /) -> Any:
        """Begin; exactly one completion will be put, unless it is cancelled before."""

    def cancel(self, ticket: Any) -> None:
        """Give up."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One thing under way, what follows it, and how it is given up."""

    then: Then
    carrier: Carrier
    ticket: Any


class Attempts:
    """Starts attempts and numbers them; each is followed up exactly once, or given up."""

    def __init__(
        self, exchange: Exchange, effects: Effects, clock: Clock, mailbox: Mailbox
    ) -> None:
        self._exchange, self._effects = exchange, effects
        self._clock, self._mailbox = clock, mailbox
        self._under_way: dict[int, _Attempt] = {}
        self._timers: list[tuple[float, int]] = []
        self._numbers = 0

    def send(self, request: Request, deadline: Deadline, then: Then) -> None:
        """Send a request."""
        self.begin(self._exchange, request, deadline, then)

    def obtain(self, effect: Effect, deadline: Deadline, then: Then) -> None:
        """Have an effect take place."""
        self.begin(self._effects, effect, deadline, then)

    def begin(self, carrier: Carrier, what: Any, deadline: Deadline, then: Then) -> None:
        """Have something taken up by whoever carries it."""
        number = self._number(deadline)
        ticket = carrier.start(what, deadline, number, self._mailbox)
        self._under_way[number] = _Attempt(then, carrier, ticket)

    def receive(self, completion: Completion) -> None:
        """Follow up how an attempt ended; one that nobody waits for any more is ignored."""
        attempt = self._under_way.pop(completion.attempt, None)
        if attempt:
            attempt.then(completion.result)

    def tick(self) -> None:
        """Give up all whose time is over: for what follows they have timed out."""
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            attempt = self._under_way.pop(heappop(self._timers)[1], None)
            if attempt:
                attempt.carrier.cancel(attempt.ticket)
                attempt.then(TimedOut("no reply in time"))

    def give_up(self) -> None:
        """Give up everything; nothing follows it."""
        attempts, self._under_way = self._under_way, {}
        for attempt in attempts.values():
            attempt.carrier.cancel(attempt.ticket)

    def next_timer(self) -> float | None:
        """When the next attempt runs out of time; None if none is under way."""
        while self._timers and self._timers[0][1] not in self._under_way:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _number(self, deadline: Deadline) -> int:
        self._numbers += 1
        heappush(self._timers, (deadline.at, self._numbers))
        return self._numbers
