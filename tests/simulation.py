"""An exchange and effects in which nothing happens but what a test decides, in virtual time."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from bff.dev.recordings.virtual import VirtualClock
from bff.errors import BffError
from bff.model.exchange import Deadline, Headers, Reply, Request
from bff.upstream.exchange import Completion, Credentials, Mailbox


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
    withdraw: Callable[[], None] = lambda: None


class SimulatedExchange:
    """Plays for each request what `script` says; None is a reply that never comes."""

    def __init__(
        self, clock: VirtualClock, script: Callable[[Request], Played | None] = lambda _: None
    ) -> None:
        self._clock, self._script = clock, script
        self.started: list[Started] = []

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> Started:
        handle = Started(request, deadline, attempt, self._clock.now(), mailbox)
        self.started.append(handle)
        played = self._script(request)
        if played:
            completion = Completion(attempt, played.result)
            handle.withdraw = self._clock.after(played.after, partial(mailbox.put, completion))
        return handle

    def cancel(self, handle: Started) -> None:
        handle.cancelled = self._clock.now()
        handle.withdraw()

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
        clock: VirtualClock,
        latency: float | None,
        perform: Callable[[Credentials], Headers] = lambda _: (),
    ) -> None:
        self._clock, self._latency, self._perform = clock, latency, perform
        self.started: list[Started] = []

    def start(
        self, effect: Credentials, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> Started:
        handle = Started(effect, deadline, attempt, self._clock.now(), mailbox)
        self.started.append(handle)
        if self._latency is not None:
            result: Headers | BffError
            try:
                result = self._perform(effect)
            except BffError as error:
                result = error
            completion = Completion(attempt, result)
            handle.withdraw = self._clock.after(self._latency, partial(mailbox.put, completion))
        return handle

    def cancel(self, handle: Started) -> None:
        handle.cancelled = self._clock.now()
        handle.withdraw()
