"""A clock, an exchange and effects in which nothing happens but what a test decides.

Time stands still until somebody waits; then it leaps to the next thing that is due.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Any

from bff.errors import BffError
from bff.model.exchange import Deadline, Headers, Reply, Request
from bff.upstream.exchange import Completion, Credentials, Mailbox


class SimulatedClock:
    """Virtual time in seconds, and the completions that are still to come."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, int, SimulatedMailbox, Completion]] = []
        self._numbers = 0
        self._withdrawn: set[int] = set()

    def now(self) -> float:
        return self._now

    def mailbox(self) -> "SimulatedMailbox":
        return SimulatedMailbox(self)

    def advance(self, to: float) -> None:
        self._now = max(self._now, to)

    def post(self, after: float, mailbox: Any, completion: Completion) -> int:
        """Have `completion` arrive `after` seconds from now; the number withdraws it."""
        self._numbers += 1
        heappush(self._due, (self._now + after, self._numbers, mailbox, completion))
        return self._numbers

    def withdraw(self, number: int) -> None:
        self._withdrawn.add(number)

    def deliver(self, until: float) -> bool:
        """Leap to the next completion and deliver it, if it comes no later than `until`."""
        while self._due and self._due[0][0] <= until:
            at, number, mailbox, completion = heappop(self._due)
            if number not in self._withdrawn:
                self.advance(at)
                mailbox.put(completion)
                return True
        return False


class SimulatedMailbox:
    """Waiting in it is what makes the time of its clock pass."""

    def __init__(self, clock: SimulatedClock) -> None:
        self._clock = clock
        self._arrived: list[Completion] = []

    def put(self, completion: Completion) -> None:
        self._arrived.append(completion)

    def get(self, timeout: float) -> Completion | None:
        until = self._clock.now() + timeout
        while not self._arrived:
            if not self._clock.deliver(until):
                self._clock.advance(until)
                return None
        return self._arrived.pop(0)


@dataclass(frozen=True, slots=True)
class Played:
    """What becomes of a request: a result so many seconds later."""

    after: float
    result: Reply | BffError


@dataclass(slots=True)
class Started:
    """A request or an effect that was started: when, until when, and when it was cancelled."""

    what: Request | Credentials
    deadline: Deadline
    attempt: int
    at: float
    mailbox: Any = None
    cancelled: float | None = None
    number: int | None = None


class SimulatedExchange:
    """Plays for each request what `script` says; None is a reply that never comes."""

    def __init__(
        self, clock: SimulatedClock, script: Callable[[Request], Played | None] = lambda _: None
    ) -> None:
        self._clock, self._script = clock, script
        self.started: list[Started] = []

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> Started:
        ticket = Started(request, deadline, attempt, self._clock.now(), mailbox)
        self.started.append(ticket)
        played = self._script(request)
        if played:
            completion = Completion(attempt, played.result)
            ticket.number = self._clock.post(played.after, mailbox, completion)
        return ticket

    def cancel(self, ticket: Started) -> None:
        ticket.cancelled = self._clock.now()
        if ticket.number is not None:
            self._clock.withdraw(ticket.number)

    def unready(self) -> str:
        return ""

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> "Whole":
        """What `script` says, at once: a relay's thread waits for nothing else."""
        del idle
        played = self._script(replace(request, body=b"".join(body or ())))
        assert played, "a relay that is never answered is no case for simulated time"
        if isinstance(played.result, Reply):
            return Whole(played.result)
        raise played.result


class Whole:
    """A reply that is all there, in one piece."""

    def __init__(self, reply: Reply) -> None:
        self.status, self.headers, self._body = reply.status, reply.headers, reply.body

    def __iter__(self) -> Iterator[bytes]:
        yield self._body

    def wait(self, seconds: float) -> None:
        """It waits for nothing."""

    def cancel(self) -> None:
        """There is nothing to give up."""

    def close(self) -> None:
        """There is nothing to let go."""


class SimulatedEffects:
    """Credentials that come after a while, or (`latency` None) not before the test says so."""

    def __init__(
        self,
        clock: SimulatedClock,
        latency: float | None,
        perform: Callable[[Credentials], Headers] = lambda _: (),
    ) -> None:
        self._clock, self._latency, self._perform = clock, latency, perform
        self.started: list[Started] = []

    def start(
        self, effect: Credentials, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> Started:
        ticket = Started(effect, deadline, attempt, self._clock.now(), mailbox)
        self.started.append(ticket)
        if self._latency is not None:
            result: Headers | BffError
            try:
                result = self._perform(effect)
            except BffError as error:
                result = error
            ticket.number = self._clock.post(self._latency, mailbox, Completion(attempt, result))
        return ticket

    def cancel(self, ticket: Started) -> None:
        ticket.cancelled = self._clock.now()
        if ticket.number is not None:
            self._clock.withdraw(ticket.number)
