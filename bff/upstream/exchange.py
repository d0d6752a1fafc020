"""The seams of the engine: what carries requests, what carries other effects, and what time it is.

Both carriers have the same two verbs, `start` and `cancel`, and neither ever blocks the caller:
a completion arrives in the mailbox that was given, with the number of its attempt.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, Protocol, runtime_checkable

from bff.errors import Unreachable
from bff.model.exchange import Deadline, Headers, Request
from bff.model.principal import Principal
from bff.upstream.steps import Steps


@dataclass(frozen=True, slots=True)
class Completion:
    """How one attempt ended: a reply, what an effect brought, or the error in its place.

    Args:
        steps: when what happened on the connection, where somebody wants to know.
    """

    attempt: int
    result: Any
    steps: Steps | None = field(default=None, compare=False)


class Sink(Protocol):
    """Where completions are left, by any thread."""

    def put(self, completion: Completion) -> None:
        """Leave a completion; never blocks."""


def reader_of(sink: Sink) -> Any:
    """The `Poller` of the thread that waits in `sink`; None where none reads for it.

    A sink says so with an attribute `poller`; one that passes completions on, with its mailbox's.
    """
    return getattr(sink, "poller", None)


class DetachedMailbox:
    """A mailbox whose thread also computes between waits, so that another reads for it."""

    def __init__(self, mailbox: "Mailbox") -> None:
        self.put, self.get = mailbox.put, mailbox.get


class Mailbox(Sink, Protocol):
    """Where completions arrive: one conductor gets them."""

    def get(self, timeout: float) -> Completion | None:
        """The next completion, or None once `timeout` seconds have passed without one."""


class Clock(Protocol):
    """Time, and waiting: the two things that a simulation replaces."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""

    def mailbox(self) -> Mailbox:
        """A new mailbox whose waiting is measured on this clock."""


class Exchange(Protocol):
    """Carries requests to services and brings replies back; knows nothing of views."""

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Any:
        """Send `request`; exactly one completion will be put, unless it is cancelled before.

        Returns:
            A ticket for `cancel`.
        """

    def cancel(self, ticket: Any) -> None:
        """Give up an attempt; what it holds is released soon."""

    def unready(self) -> str:
        """Why it can carry no more just now; empty if it can."""


@runtime_checkable
class Withdrawing(Protocol):
    """An exchange that knows whether anything of a request has been sent."""

    def withdraw(self, ticket: Any) -> bool:
        """Give up an attempt if nothing of it has been sent; whether it was given up."""


def withdrawn(exchange: object, ticket: Any) -> bool:
    """Give up an attempt if nothing of it has been sent.

    Returns:
        Whether it was given up; false where something has been sent, or may have been.
    """
    return isinstance(exchange, Withdrawing) and exchange.withdraw(ticket)


@runtime_checkable
class ReadByAsker(Protocol):
    """An exchange whose requests are read by the thread that asks, while it waits."""

    def clock(self) -> Clock:
        """The clock whose mailboxes read while their thread waits."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How full an exchange is: requests that it can carry at once, carries, and has waiting."""

    size: int
    busy: int
    waiting: int


@runtime_checkable
class Measured(Protocol):
    """An exchange that can be full."""

    def usage(self) -> Usage:
        """How full it is."""


class Streamed(Protocol):
    """A reply whose body is still on its way."""

    status: int
    headers: Headers

    def __iter__(self) -> Iterator[bytes]:
        """The body, piece by piece, coded as it is; raises UpstreamError where it breaks off."""

    def wait(self, seconds: float) -> None:
        """From now on a single wait may take so long."""

    def cancel(self) -> None:
        """Wake the thread that reads it, from another one: there will be no more."""

    def close(self) -> None:
        """Let it go, whole or not."""


@runtime_checkable
class StreamingExchange(Protocol):
    """Carries what is too large or too long to be held: on the thread that asks for it."""

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> Streamed:
        """Send `request`, and return when the head of its reply is there.

        Args:
            body: its pieces, sent as they come.
            idle: seconds that a single wait may take.

        Raises:
            BffError: an UpstreamError, or what `body` raises.
        """


class NoStreaming:
    """Carries nothing: what is recorded or simulated has no streams."""

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> Streamed:
        """Raise Unreachable."""
        del body, idle
        raise Unreachable(f"no stream of `{request.service}` is carried here")


class Effect(Protocol):
    """Something besides a request that may block; what it is for, as a frozen record."""

    @property
    def key(self) -> Hashable:
        """Effects with one key that are wanted at once take place once, for all who wait."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The effect of obtaining the headers with which a service is called for somebody.

    Args:
        rejected: the headers that the service has just answered 401 to; they are not given again.
    """

    service: str
    principal: Principal
    rejected: Headers = field(default=(), repr=False)

    @property
    def key(self) -> Hashable:
        """One person's credentials for one service."""
        person = (self.principal.identity, self.principal.session, self.principal.token)
        return "credentials", self.service, person, self.rejected


class _Dropped:
    """The mailbox of an effect whose result is not wanted."""

    def put(self, completion: Completion) -> None:
        """Drop it."""

    def get(self, timeout: float) -> Completion | None:
        """Nothing ever is in it."""
        raise NotImplementedError


DROPPED: Final = _Dropped()


class Effects(Protocol):
    """Carries whatever else may block: credentials, shared stores, locks."""

    def start(self, effect: Effect, deadline: Deadline, attempt: int, mailbox: Sink) -> Any:
        """Begin `effect`; exactly one completion will be put, unless it is cancelled before."""

    def cancel(self, ticket: Any) -> None:
        """Give up an effect."""


class _QueueMailbox:
    def __init__(self) -> None:
        self._queue: SimpleQueue[Completion] = SimpleQueue()
        self.put = self._queue.put

    def get(self, timeout: float) -> Completion | None:
        try:
            return self._queue.get(timeout=timeout)
        except Empty:
            return None


class SystemClock:
    """Real time."""

    def now(self) -> float:
        """Seconds of the system's monotonic clock."""
        return monotonic()

    def mailbox(self) -> Mailbox:
        """A mailbox that blocks its thread."""
        return _QueueMailbox()


def clock_for(exchange: Exchange) -> Clock:
    """Real time, with mailboxes that suit an exchange."""
    return exchange.clock() if isinstance(exchange, ReadByAsker) else SystemClock()
