"""The attempts of one answer: requests, effects and timers under way, and their deadlines."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import Any, Final, Protocol

from bff.errors import BffError, Cancelled, LimitReached, TimedOut
from bff.model.exchange import Deadline, Request, Tried
from bff.upstream.exchange import (
    Clock,
    Completion,
    Effect,
    Effects,
    Exchange,
    Mailbox,
    withdrawn,
)
from bff.upstream.guard import Guard
from bff.upstream.permit import Permit

# Called with the result of an attempt, or the error in its place.
OnResult = Callable[[Any], None]


class Owner(Protocol):
    """What an attempt is made for."""

    def failed(self, error: Exception) -> None:
        """Following it up raised what no code expects: it has come to that.

        Raises:
            Exception: `error`, where it is not the owner's: it has come to its end before.
        """

    def lost(self) -> None:
        """The attempt was given up with all others."""


class _View:
    """The owner of what a view waits for: credentials, a check for a disconnected client."""

    def failed(self, error: Exception) -> None:
        """End the view."""
        raise error

    def lost(self) -> None:
        """It holds nothing."""


VIEW: Final = _View()


def run_step(owner: Owner, step: Callable[..., None], *args: Any) -> None:
    """Run a step after an attempt, and hand an unexpected exception to the attempt's owner.

    Policies, decoding, redirects, links and pages run inside it. What they raise unexpectedly ends
    the request that they are about, and no other.
    """
    try:
        step(*args)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported there
        owner.failed(error)


# Sends a request shared by all that want its reply, avoiding these addresses; the number of the
# attempt cancels it.
Join = Callable[[Request, Tried, Collection[str], Owner, OnResult], int]


class Starter(Protocol):
    """Starts and cancels work: effects, shared fetches."""

    def start(self, what: Any, deadline: Deadline, attempt: int, mailbox: Mailbox, /) -> Any:
        """Begin; exactly one completion will be put, unless it is cancelled before."""

    def cancel(self, ticket: Any) -> None:
        """Give up."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One thing under way.

    Args:
        on_result: what follows it.
        drop: how it is given up, and for what reason.
        late: what it has come to when its time is over.
        withdraw: gives it up only if nothing of it has been sent, and returns whether that was
            so; None for what may be given up at any time.
    """

    owner: Owner
    on_result: OnResult
    drop: Callable[[BffError], None]
    late: BffError | None
    withdraw: Callable[[], bool] | None = None


class Attempts:
    """Starts attempts and numbers them; each is followed up exactly once, or given up.

    Attributes:
        over: everything was given up, but for writes that have been sent; none is begun any more.
    """

    def __init__(
        self, exchange: Exchange, effects: Effects, clock: Clock, mailbox: Mailbox
    ) -> None:
        self.exchange, self._effects = exchange, effects
        self._clock, self._mailbox = clock, mailbox
        self._under_way: dict[int, _Attempt] = {}
        self._timers: list[tuple[float, int]] = []
        self._numbers = 0
        self.over = False

    @property
    def under_way(self) -> bool:
        """Whether anything is."""
        return bool(self._under_way)

    def send(
        self,
        request: Request,
        deadline: Deadline,
        permit: Permit,
        owner: Owner,
        on_result: OnResult,
        *,
        safe: bool = True,
    ) -> int:
        """Send a request with a permit; the number gives it up.

        Args:
            safe: whether it changes nothing, and so may be cut when everything is given up.
        """
        number = self._number(deadline.at)
        ticket = permit.start(self.exchange, request, deadline, number, self._mailbox)
        drop = partial(self._cancel, ticket, permit)
        withdraw = None if safe else partial(withdrawn, self.exchange, ticket)
        late = TimedOut("no reply in time")
        self._under_way[number] = _Attempt(owner, on_result, drop, late, withdraw)
        return number

    def queue(
        self,
        guard: Guard,
        avoid: Collection[str],
        until: float,
        owner: Owner,
        on_result: OnResult,
    ) -> int:
        """Wait for a permit, at most until a moment."""
        number = self._number(until)
        ticket = guard.start(avoid, number, self._mailbox)
        late = LimitReached("concurrency limit reached: timed out waiting for a slot")
        drop = partial(_leave, guard, ticket)
        self._under_way[number] = _Attempt(owner, on_result, drop, late)
        return number

    def obtain(self, effect: Effect, deadline: Deadline, owner: Owner, on_result: OnResult) -> int:
        """Have an effect take place."""
        return self.begin(self._effects, effect, deadline, owner, on_result)

    def begin(
        self,
        starter: Starter,
        what: Any,
        deadline: Deadline,
        owner: Owner,
        on_result: OnResult,
    ) -> int:
        """Have work started."""
        number = self._number(deadline.at)
        ticket = starter.start(what, deadline, number, self._mailbox)
        drop = partial(_abandon, starter, ticket)
        self._under_way[number] = _Attempt(owner, on_result, drop, TimedOut("no reply in time"))
        return number

    def wake(self, at: float, owner: Owner, on_result: OnResult) -> int:
        """Do something at a moment."""
        number = self._number(at)
        self._under_way[number] = _Attempt(owner, on_result, _nothing, None)
        return number

    def receive(self, completion: Completion) -> None:
        """Follow up how an attempt ended; one that was given up is ignored."""
        attempt = self._under_way.pop(completion.attempt, None)
        if attempt:
            run_step(attempt.owner, attempt.on_result, completion.result)

    def tick(self) -> None:
        """Act on what is due, and give up all whose time is over."""
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            attempt = self._under_way.pop(heappop(self._timers)[1], None)
            if attempt:
                if attempt.late:
                    attempt.drop(attempt.late)
                run_step(attempt.owner, attempt.on_result, attempt.late)

    def cancel(self, number: int) -> None:
        """Give up one, if it is still under way; nothing follows it."""
        attempt = self._under_way.pop(number, None)
        if attempt:
            attempt.drop(Cancelled("another attempt has answered"))

    def give_up(self) -> None:
        """Give up everything, and nothing follows it; but wait for writes that have been sent."""
        self.over = True
        attempts, self._under_way = self._under_way, {}
        for number, attempt in attempts.items():
            if attempt.withdraw and not attempt.withdraw():
                self._under_way[number] = attempt
                continue
            attempt.drop(Cancelled("the answer is over"))
            attempt.owner.lost()

    def attend(self, deadline: Deadline, until: Callable[[], bool]) -> None:
        """Wait in the mailbox until the next timer, and act on what comes, until something holds.

        Args:
            deadline: for how long where nothing is due.
        """
        while not until():
            due = self.next_timer()
            at = deadline.at if due is None else due
            completion = self._mailbox.get(max(0.0, at - self._clock.now()))
            if completion is None:
                self.tick()
            else:
                self.receive(completion)

    def next_timer(self) -> float | None:
        """When something is due; None if nothing is under way."""
        while self._timers and self._timers[0][1] not in self._under_way:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _number(self, due: float) -> int:
        self._numbers += 1
        heappush(self._timers, (due, self._numbers))
        return self._numbers

    def _cancel(self, ticket: Any, permit: Permit, why: BffError) -> None:
        self.exchange.cancel(ticket)
        permit.settle(why)


def _leave(guard: Guard, ticket: Any, _why: BffError) -> None:
    guard.cancel(ticket)


def _abandon(starter: Starter, ticket: Any, _why: BffError) -> None:
    starter.cancel(ticket)


def _nothing(_why: BffError) -> None:
    """A timer holds nothing."""
