"""The attempts of one run: requests, effects and timers under way, and their deadlines."""

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
    withdraw_unsent,
)
from bff.upstream.guard import Guard
from bff.upstream.permit import Permit

# A callback: called with the result of an attempt, or with the error in its place.
OnResult = Callable[[Any], None]


class Owner(Protocol):
    """The request that an attempt is made for."""

    def failed(self, error: Exception) -> None:
        """End with an unexpected exception that a callback has raised.

        Raises:
            Exception: `error`, if the owner has ended before.
        """

    def lost(self) -> None:
        """The attempt was cancelled, as the run is over."""


class _View:
    """The owner of attempts of the whole view: credentials, the check for a disconnected client."""

    def failed(self, error: Exception) -> None:
        """End the view."""
        raise error

    def lost(self) -> None:
        """Do nothing: there is nothing to release."""


VIEW: Final = _View()


def run_step(owner: Owner, step: Callable[..., None], *args: Any) -> None:
    """Run a step of a request; an unexpected exception ends that request, and no other.

    Policies, decoding, redirects, links and pagination run inside it.

    Args:
        owner: gets the exception.
    """
    try:
        step(*args)
    except Exception as error:  # noqa: BLE001 - the owner reports it
        owner.failed(error)


# Sends a request as a fetch that is shared by all requests for the same reply, and avoids the given
# addresses. It returns the number of the attempt, by which it can be cancelled.
Join = Callable[[Request, Tried, Collection[str], Owner, OnResult], int]


class Starter(Protocol):
    """Starts and cancels one kind of work: effects, or shared fetches."""

    def start(self, what: Any, deadline: Deadline, attempt: int, mailbox: Mailbox, /) -> Any:
        """Start work, which puts exactly one completion into the mailbox unless cancelled."""

    def cancel(self, handle: Any) -> None:
        """Cancel the work that `start` has returned a handle of."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt under way.

    Args:
        on_result: called with its result.
        drop: cancels it, for the given reason.
        late: its result if it times out; None for a timer.
        withdraw: cancels it if nothing of it has been sent, and returns whether it did; None for
            an attempt that may be cancelled at any time.
    """

    owner: Owner
    on_result: OnResult
    drop: Callable[[BffError], None]
    late: BffError | None
    withdraw: Callable[[], bool] | None = None


class Attempts:
    """Starts attempts; each either calls its `on_result` exactly once, or is cancelled.

    Attributes:
        over: whether all were cancelled, except writes that have been sent; no more may be started.
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
        """Whether any attempt is under way."""
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
        """Send a request with a permit.

        Args:
            safe: whether the request only reads (RFC 9110, section 9.2.1), so that it may be
                cancelled after it was sent.

        Returns:
            The number of the attempt, for `cancel`.
        """
        number = self._number(deadline.at)
        handle = permit.start(self.exchange, request, deadline, number, self._mailbox)
        drop = partial(self._cancel, handle, permit)
        withdraw = None if safe else partial(withdraw_unsent, self.exchange, handle)
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
        """Wait for a permit, until a time. Returns the attempt's number."""
        number = self._number(until)
        handle = guard.start(avoid, number, self._mailbox)
        late = LimitReached("concurrency limit reached: timed out waiting for a slot")
        drop = partial(_leave, guard, handle)
        self._under_way[number] = _Attempt(owner, on_result, drop, late)
        return number

    def obtain(self, effect: Effect, deadline: Deadline, owner: Owner, on_result: OnResult) -> int:
        """Start an effect. Returns the attempt's number."""
        return self.begin(self._effects, effect, deadline, owner, on_result)

    def begin(
        self,
        starter: Starter,
        what: Any,
        deadline: Deadline,
        owner: Owner,
        on_result: OnResult,
    ) -> int:
        """Start the work of a starter. Returns the attempt's number."""
        number = self._number(deadline.at)
        handle = starter.start(what, deadline, number, self._mailbox)
        drop = partial(_abandon, starter, handle)
        self._under_way[number] = _Attempt(owner, on_result, drop, TimedOut("no reply in time"))
        return number

    def wake(self, at: float, owner: Owner, on_result: OnResult) -> int:
        """Start a timer: `on_result` is called at a time. Returns the attempt's number."""
        number = self._number(at)
        self._under_way[number] = _Attempt(owner, on_result, _nothing, None)
        return number

    def receive(self, completion: Completion) -> None:
        """Handle the completion of an attempt; that of a cancelled one is ignored."""
        attempt = self._under_way.pop(completion.attempt, None)
        if attempt:
            run_step(attempt.owner, attempt.on_result, completion.result)

    def tick(self) -> None:
        """Handle the timers that are due, and end the attempts that have timed out."""
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            attempt = self._under_way.pop(heappop(self._timers)[1], None)
            if attempt:
                if attempt.late:
                    attempt.drop(attempt.late)
                run_step(attempt.owner, attempt.on_result, attempt.late)

    def cancel(self, number: int) -> None:
        """Cancel an attempt, if it is still under way; its `on_result` is not called."""
        attempt = self._under_way.pop(number, None)
        if attempt:
            attempt.drop(Cancelled("another attempt has answered"))

    def give_up(self) -> None:
        """Cancel all attempts, without a call of `on_result`, except writes that have been sent."""
        self.over = True
        attempts, self._under_way = self._under_way, {}
        for number, attempt in attempts.items():
            if attempt.withdraw and not attempt.withdraw():
                self._under_way[number] = attempt
                continue
            attempt.drop(Cancelled("the answer is over"))
            attempt.owner.lost()

    def attend(self, deadline: Deadline, until: Callable[[], bool]) -> None:
        """Handle completions and timers until a condition holds.

        Args:
            deadline: how long to wait for a completion while no timer is set.
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
        """When the next attempt is due or times out; None if none is under way."""
        while self._timers and self._timers[0][1] not in self._under_way:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def _number(self, due: float) -> int:
        self._numbers += 1
        heappush(self._timers, (due, self._numbers))
        return self._numbers

    def _cancel(self, handle: Any, permit: Permit, why: BffError) -> None:
        self.exchange.cancel(handle)
        permit.settle(why)


def _leave(guard: Guard, handle: Any, _why: BffError) -> None:
    guard.cancel(handle)


def _abandon(starter: Starter, handle: Any, _why: BffError) -> None:
    starter.cancel(handle)


def _nothing(_why: BffError) -> None:
    """Cancel a timer: there is nothing to release."""
