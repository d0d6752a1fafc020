"""What is under way for one request, and when each of it must have ended."""

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Generic, TypeVar

from bff.model.exchange import Deadline, Request
from bff.upstream.exchange import Clock, Credentials, Effects, Exchange, Mailbox

Owner = TypeVar("Owner")


@dataclass(frozen=True, slots=True)
class _Attempt(Generic[Owner]):
    """One thing under way, whom it is for, and how it is given up."""

    owner: Owner
    carrier: Exchange | Effects
    ticket: Any


class Attempts(Generic[Owner]):
    """Starts attempts and numbers them; each is taken back exactly once, or given up."""

    def __init__(
        self, exchange: Exchange, effects: Effects, clock: Clock, mailbox: Mailbox
    ) -> None:
        self._exchange, self._effects = exchange, effects
        self._clock, self._mailbox = clock, mailbox
        self._under_way: dict[int, _Attempt[Owner]] = {}
        self._timers: list[tuple[float, int]] = []
        self._numbers = 0

    def send(self, request: Request, deadline: Deadline, owner: Owner) -> None:
        """Send a request for `owner`."""
        number = self._number(deadline)
        ticket = self._exchange.start(request, deadline, number, self._mailbox)
        self._under_way[number] = _Attempt(owner, self._exchange, ticket)

    def obtain(self, effect: Credentials, deadline: Deadline, owner: Owner) -> None:
        """Have an effect take place for `owner`."""
        number = self._number(deadline)
        ticket = self._effects.start(effect, deadline, number, self._mailbox)
        self._under_way[number] = _Attempt(owner, self._effects, ticket)

    def take(self, number: int) -> Owner | None:
        """Whose attempt has ended; None if nobody waits for it any more."""
        attempt = self._under_way.pop(number, None)
        return attempt.owner if attempt else None

    def take_overdue(self) -> Owner | None:
        """Give up one attempt whose time is over; None if there is none."""
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            attempt = self._under_way.pop(heappop(self._timers)[1], None)
            if attempt:
                attempt.carrier.cancel(attempt.ticket)
                return attempt.owner
        return None

    def give_up(self) -> list[Owner]:
        """Give up everything; whose attempts they were."""
        attempts, self._under_way = self._under_way, {}
        for attempt in attempts.values():
            attempt.carrier.cancel(attempt.ticket)
        return [attempt.owner for attempt in attempts.values()]

    def next_timer(self) -> float | None:
        """When the next attempt runs out of time; None if none is under way."""
        while self._timers and self._timers[0][1] not in self._under_way:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _number(self, deadline: Deadline) -> int:
        self._numbers += 1
        heappush(self._timers, (deadline.at, self._numbers))
        return self._numbers
