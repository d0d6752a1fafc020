"""The interfaces of the engine to the outside: requests, other effects, and the clock.

`Exchange` and `Effects` share the methods `start` and `cancel`, which never block the caller: a
completion arrives in the given mailbox, with the number of its attempt.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final, Protocol, runtime_checkable

from bff.errors import Unreachable
from bff.model.exchange import Deadline, Headers, Request
from bff.model.principal import Principal
from bff.upstream.connection_events import ConnectionEvents


@dataclass(frozen=True, slots=True)
class Completion:
    """The outcome of one attempt: a reply, the result of an effect, or an error.

    Args:
        events: the times of events on the connection; None unless tracing is on.
    """

    attempt: int
    result: Any
    events: ConnectionEvents | None = field(default=None, compare=False)


class Sink(Protocol):
    """Receives completions, from any thread."""

    def put(self, completion: Completion) -> None:
        """Add a completion; never blocks."""


def poller_of(sink: Sink) -> Any:
    """The `Poller` of the thread that waits in `sink`; None if it has none.

    It is the attribute `poller` of the sink; a sink that forwards to a mailbox has the mailbox's.
    """
    return getattr(sink, "poller", None)


class DetachedMailbox:
    """A mailbox without a poller: its thread also computes, so another thread reads for it."""

    def __init__(self, mailbox: "Mailbox") -> None:
        self.put, self.get = mailbox.put, mailbox.get


class Mailbox(Sink, Protocol):
    """A queue of completions with one consumer, a conductor."""

    def get(self, timeout: float) -> Completion | None:
        """The next completion; None after `timeout` seconds without one."""


class Clock(Protocol):
    """Time and waiting, which a simulation replaces."""

    def now(self) -> float:
        """Monotonic time in seconds."""

    def mailbox(self) -> Mailbox:
        """A new mailbox whose timeouts are measured on this clock."""


class Exchange(Protocol):
    """Sends requests to services and delivers their replies."""

    def start(self, request: Request, deadline: Deadline, attempt: int, mailbox: Sink) -> Any:
        """Send `request`; puts exactly one completion, unless it is cancelled before.

        Returns:
            A handle for `cancel`.
        """

    def cancel(self, handle: Any) -> None:
        """Cancel an attempt; its resources are released soon."""

    def unready(self) -> str:
        """Why it cannot accept more requests; empty if it can."""


@runtime_checkable
class WithdrawingExchange(Protocol):
    """An exchange that can tell whether any part of a request has been sent."""

    def withdraw(self, handle: Any) -> bool:
        """Cancel an attempt if nothing of it has been sent; True if it was cancelled."""


def withdraw_unsent(exchange: object, handle: Any) -> bool:
    """Cancel an attempt if nothing of it has been sent.

    Returns:
        True if it was cancelled; False if a part has been sent, or may have been.
    """
    return isinstance(exchange, WithdrawingExchange) and exchange.withdraw(handle)


@runtime_checkable
class PollingExchange(Protocol):
    """An exchange whose replies are read by the requesting thread, while it waits."""

    def clock(self) -> Clock:
        """A clock whose mailboxes read connections while their thread waits."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Utilization of an exchange: its capacity, requests in flight, and queued requests."""

    size: int
    busy: int
    waiting: int


@runtime_checkable
class MeasuredExchange(Protocol):
    """An exchange with a limited capacity."""

    def usage(self) -> Usage:
        """Its current utilization."""


class StreamedReply(Protocol):
    """A reply whose body is streamed."""

    status: int
    headers: Headers

    def __iter__(self) -> Iterator[bytes]:
        """The body in chunks, undecoded; raises UpstreamError if it is truncated."""

    def wait(self, seconds: float) -> None:
        """Set the timeout of a single read, in seconds."""

    def cancel(self) -> None:
        """End the stream from another thread; wakes the thread that reads it."""

    def close(self) -> None:
        """Release the connection, whether the body is complete or not."""


@runtime_checkable
class StreamingExchange(Protocol):
    """Streams bodies that are too large or too long to buffer, on the calling thread."""

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> StreamedReply:
        """Send `request`, and return once the headers of the reply are received.

        Args:
            body: its chunks; None for none.
            idle: the timeout of a single read or write, in seconds.

        Raises:
            BffError: an UpstreamError, or what `body` raises.
        """


class NoStreaming:
    """For recordings and simulations, which do not support streams."""

    def stream(self, request: Request, body: Iterable[bytes] | None, idle: float) -> StreamedReply:
        """Raise Unreachable."""
        del body, idle
        raise Unreachable(f"streams of `{request.service}` are not supported here")


class Effect(Protocol):
    """A blocking operation other than a request, described by a frozen record."""

    @property
    def key(self) -> Hashable:
        """Concurrent effects with the same key are performed once."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The effect of obtaining the credential headers of a principal for a service.

    Args:
        rejected: headers that the service has just rejected with 401; not returned again.
    """

    service: str
    principal: Principal
    rejected: Headers = field(default=(), repr=False)

    @property
    def key(self) -> Hashable:
        """The service, the principal and the rejected headers."""
        person = (self.principal.identity, self.principal.session, self.principal.token)
        return "credentials", self.service, person, self.rejected


class _NullMailbox:
    """The mailbox of an effect whose result is not needed."""

    def put(self, completion: Completion) -> None:
        """Drop it."""

    def get(self, timeout: float) -> Completion | None:
        """Never called."""
        raise NotImplementedError


NULL_MAILBOX: Final = _NullMailbox()


class Effects(Protocol):
    """Performs other blocking operations: credentials, shared stores, locks."""

    def start(self, effect: Effect, deadline: Deadline, attempt: int, mailbox: Sink) -> Any:
        """Start `effect`; puts exactly one completion, unless it is cancelled before."""

    def cancel(self, handle: Any) -> None:
        """Stop waiting for an effect."""


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
    """The system's monotonic clock."""

    def now(self) -> float:
        """Monotonic time in seconds."""
        return monotonic()

    def mailbox(self) -> Mailbox:
        """A mailbox that blocks its thread."""
        return _QueueMailbox()


def clock_for(exchange: Exchange) -> Clock:
    """The exchange's own clock if it has one, otherwise a `SystemClock`."""
    return exchange.clock() if isinstance(exchange, PollingExchange) else SystemClock()
