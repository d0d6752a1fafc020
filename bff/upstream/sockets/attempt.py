"""One request over a non-blocking connection, as a state machine.

Its states are queued, connecting, writing, reading, decoding and ended. Only the thread of its
poller changes the state; other threads may cancel it.
"""

from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, Protocol

from bff.errors import BffError, Cancelled, TimedOut, Unreachable
from bff.model.exchange import Deadline, Request
from bff.observe.boundary import without_frames
from bff.observe.log import logger
from bff.upstream.connection_events import ConnectionEvents
from bff.upstream.exchange import Completion, Sink
from bff.upstream.memory import Memory
from bff.upstream.resolve import Resolver
from bff.upstream.retry import IDEMPOTENT
from bff.upstream.sockets.address import Address
from bff.upstream.sockets.connection import Connection
from bff.upstream.sockets.decode import content_coding, decode_reply
from bff.upstream.sockets.dial import Dial
from bff.upstream.sockets.poller import Poller
from bff.upstream.sockets.reply_parser import ReplyParser
from bff.upstream.sockets.slots import Slots
from bff.upstream.sockets.transfer import ConnectionBroken, Transfer


class AttemptContext(Protocol):
    """The state that all attempts of an exchange share."""

    memory: Memory
    resolver: Resolver
    slots: Slots

    def return_connection(self, address: Address, connection: Connection) -> None:
        """Return a connection for reuse."""

    def decode(self, poller: Poller, size: int, work: Callable[[], None], *, coded: bool) -> None:
        """Run `work`, which decodes a complete body, on a thread that it may block."""


class Attempt:
    """One request, from `SocketExchange.start` until its completion; also the exchange's handle.

    Args:
        poller: the poller whose thread does the I/O.

    Attributes:
        due: when `expire` is to be called, on the monotonic clock.
        has_slot: whether it counts as in flight.
    """

    __slots__ = (
        "_address",
        "_cancelled",
        "_context",
        "_dial",
        "_events",
        "_lock",
        "_no_resend",
        "_over",
        "_sent",
        "_sink",
        "_transfer",
        "_written",
        "attempt",
        "deadline",
        "due",
        "has_slot",
        "poller",
        "request",
    )

    def __init__(
        self,
        context: AttemptContext,
        address: Address,
        poller: Poller,
        job: tuple[Request, Deadline, int, Sink],
        events: ConnectionEvents | None,
    ) -> None:
        self._context, self._address, self.poller = context, address, poller
        self.request, self.deadline, self.attempt, self._sink = job
        self._events = events
        self.due = self.deadline.at
        self.has_slot = False
        self._lock = Lock()  # guards `_cancelled`, `_no_resend`, `_sent`
        self._cancelled = False  # no completion is to be delivered
        self._no_resend = False  # it must not be sent a second time
        self._sent = False  # a part of the request may have been sent
        self._over = False
        self._dial: Dial | None = None
        self._transfer: Transfer | None = None
        self._written = b""

    # -- for other threads ------------------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel; the poller's thread releases its resources."""
        with self._lock:
            self._cancelled = True
        if self.poller.is_mine():
            self._release()
        else:
            self.poller.post(self._release)

    def withdraw(self) -> bool:
        """Cancel if nothing of the request has been sent; otherwise prevent a resend.

        Returns:
            Whether it was cancelled.
        """
        with self._lock:
            self._no_resend = True
            withdrawn = not self._sent
            self._cancelled = self._cancelled or withdrawn
        if withdrawn:
            self.cancel()
        return withdrawn

    def slot_granted(self) -> None:
        """Start, now that a slot was granted; from any thread."""
        self.poller.post(self.begin)

    # -- for the thread of its poller -------------------------------------------------------------

    def wait(self) -> None:
        """Watch the deadline while it is queued for a slot."""
        if not self._over:
            self.poller.add(self)

    def begin(self) -> None:
        """Send the request, on an idle connection if there is one."""
        self.wait()
        self.step(self._begin)

    def ready(self) -> None:
        """Continue: the connection is ready for reading or writing."""
        if self._over:
            return
        if self._dial is not None:
            self.step(self._dial.ready)
        else:
            self.step(self._advance)

    def expire(self, now: float) -> None:
        """Time out, or try the next address if only the connection attempt timed out."""
        if self._dial is not None and now < self.deadline.at:
            self.step(self._dial.expire)
        else:
            self._end(TimedOut("deadline exceeded"))

    def step(self, work: Callable[[], None]) -> None:
        """Run `work`; an exception ends the attempt with an error."""
        if self._over:
            return
        try:
            work()
        except BffError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - the caller waits for a completion
            self._end(Unreachable(f"{type(error).__name__}: {error}"))

    def connected(self, connection: Connection) -> None:
        """Send the request over a new connection."""
        self._dial = None
        self._use(connection, is_reused=False)

    def _begin(self) -> None:
        if monotonic() >= self.deadline.at:
            raise TimedOut("deadline exceeded")
        self._written = self._address.request_bytes(self.request)
        connection = self._address.idle.take()
        if connection is None:
            self._open()
        else:
            self._use(connection, is_reused=True)

    def _open(self) -> None:
        context, until = self._context, self.deadline.at
        self._dial = Dial(self, self._address, self.poller, context.resolver, until, self._events)
        self._dial.begin()

    def _use(self, connection: Connection, *, is_reused: bool) -> None:
        memory, request = self._context.memory, self.request
        parser = ReplyParser(request.method, request.max_reply, memory, memory.lease())
        self._transfer = Transfer(
            *(self, self.poller, connection, self._written, parser, self._events),
            is_reused=is_reused,
        )
        with self._lock:
            if self._cancelled:
                raise Cancelled("the attempt was cancelled")
            self._sent = True
        self._advance()

    def _advance(self) -> None:
        transfer = self._transfer
        if transfer is None:
            return
        try:
            is_whole = transfer.advance()
        except ConnectionBroken as error:
            self._broken(transfer, error)
        else:
            if is_whole:
                self._complete(transfer)

    def _broken(self, transfer: Transfer, error: ConnectionBroken) -> None:
        """Resend on a new connection if the service closed a reused one, or fail."""
        self._drop_transfer()
        has_begun = transfer.parser.has_begun
        may_resend = transfer.is_reused and not has_begun and self.request.method in IDEMPOTENT
        with self._lock:
            again = may_resend and not (self._no_resend or self._cancelled)
            if again:  # RFC 9112, section 9.3.1
                self._sent = False
        if not again:
            raise Unreachable(str(error), "" if has_begun else "reset")
        self._open()

    def _complete(self, transfer: Transfer) -> None:
        """Handle a complete reply: release the connection, and have the body decoded."""
        connection, parser = transfer.release(), transfer.parser
        self._transfer, self._written = None, b""
        if parser.keeps_connection and monotonic() < connection.serves_until:
            self._context.return_connection(self._address, connection)
        else:
            connection.close()
        self._over = True
        self.poller.discard(self)
        is_coded, work = bool(content_coding(parser)), partial(self._deliver, parser)
        self._context.decode(self.poller, parser.size, work, coded=is_coded)

    def _deliver(self, parser: ReplyParser) -> None:
        """Decode the body and put the completion, on a thread that this may block."""
        self._put(decode_reply(parser, self.request.max_reply))

    # -- the end of the attempt -------------------------------------------------------------------

    def _end(self, result: BffError) -> None:
        """End with an error."""
        if not self._over:
            self._release_resources()
            self._put(result)

    def _release(self) -> None:
        """End after a cancellation: no completion is put."""
        if not self._over:
            self._release_resources()
            self._context.slots.release(self)

    def _release_resources(self) -> None:
        self._over = True
        if self._dial is not None:
            self._dial.abandon()
            self._dial = None
        self._drop_transfer()
        self.poller.discard(self)

    def _put(self, result: Any) -> None:
        self._context.slots.release(self)
        if isinstance(result, BffError):
            result = without_frames(result)
        try:
            self._sink.put(Completion(self.attempt, result, self._events))
        except Exception as error:  # noqa: BLE001 - the thread serves other attempts
            logger.error("unexpected %s", type(error).__name__, exc_info=error)

    def _drop_transfer(self) -> None:
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer.release().close()
