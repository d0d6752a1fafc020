"""One request on its way over a non-blocking connection: a small state machine.

In line, connecting, writing, reading, unpacking, over. Only the thread of its poller moves it;
other threads may ask for its end.
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
from bff.upstream.exchange import Completion, Sink
from bff.upstream.memory import Memory
from bff.upstream.resolve import Resolver
from bff.upstream.retry import IDEMPOTENT
from bff.upstream.sockets.address import Address
from bff.upstream.sockets.connection import Connection
from bff.upstream.sockets.dial import Dial
from bff.upstream.sockets.poller import Poller
from bff.upstream.sockets.reply_parser import ReplyParser
from bff.upstream.sockets.slots import Slots
from bff.upstream.sockets.transfer import ConnectionBroken, Transfer
from bff.upstream.sockets.unpack import coding_of, unpacked
from bff.upstream.steps import Steps


class Means(Protocol):
    """What the attempts of an exchange share."""

    memory: Memory
    resolver: Resolver
    slots: Slots

    def returned(self, address: Address, connection: Connection) -> None:
        """A connection is idle again."""

    def unpack(self, poller: Poller, size: int, work: Callable[[], None], *, coded: bool) -> None:
        """Have a whole body decoded and passed on, on a thread that may take long for it."""


class Attempt:
    """A request, from when it is asked for until its one completion is put; the exchange's ticket.

    Args:
        poller: whose thread moves it.

    Attributes:
        due: when `expire` has something to do.
        has_slot: it counts as in flight.
    """

    __slots__ = (
        "_address",
        "_cancelled",
        "_dial",
        "_lock",
        "_means",
        "_once",
        "_over",
        "_sent",
        "_sink",
        "_steps",
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
        means: Means,
        address: Address,
        poller: Poller,
        job: tuple[Request, Deadline, int, Sink],
        steps: Steps | None,
    ) -> None:
        self._means, self._address, self.poller = means, address, poller
        self.request, self.deadline, self.attempt, self._sink = job
        self._steps = steps
        self.due = self.deadline.at
        self.has_slot = False
        self._lock = Lock()  # held for `_cancelled`, `_once`, `_sent`
        self._cancelled = False  # no completion is waited for any more
        self._once = False  # it is not to be sent a second time
        self._sent = False  # a part of the request may have been
        self._over = False
        self._dial: Dial | None = None
        self._transfer: Transfer | None = None
        self._written = b""

    # -- for other threads ------------------------------------------------------------------------

    def cancel(self) -> None:
        """Give up; what it holds is released soon."""
        with self._lock:
            self._cancelled = True
        if self.poller.is_mine():
            self._release()
        else:
            self.poller.post(self._release)

    def withdraw(self) -> bool:
        """Give up if nothing of the request has been sent; otherwise send it no second time.

        Returns:
            Whether it was given up.
        """
        with self._lock:
            self._once = True
            withdrawn = not self._sent
            self._cancelled = self._cancelled or withdrawn
        if withdrawn:
            self.cancel()
        return withdrawn

    def admitted(self) -> None:
        """It has got a slot."""
        self.poller.post(self.begin)

    # -- for the thread of its poller -------------------------------------------------------------

    def wait(self) -> None:
        """Stand in line for a slot, no longer than until the deadline."""
        if not self._over:
            self.poller.add(self)

    def begin(self) -> None:
        """Send the request, on an idle connection if there is one."""
        self.wait()
        self.step(self._begin)

    def ready(self) -> None:
        """The connection is ready for what it waits for."""
        if self._over:
            return
        if self._dial is not None:
            self.step(self._dial.ready)
        else:
            self.step(self._advance)

    def expire(self, now: float) -> None:
        """Its time is over, or that of an address that does not answer."""
        if self._dial is not None and now < self.deadline.at:
            self.step(self._dial.expire)
        else:
            self._end(TimedOut("deadline exceeded"))

    def step(self, work: Callable[[], None]) -> None:
        """Do a part of the work; what it raises is the end of it."""
        if self._over:
            return
        try:
            work()
        except BffError as error:
            self._end(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the completion is waited for
            self._end(Unreachable(f"{type(error).__name__}: {error}"))

    def connected(self, connection: Connection) -> None:
        """A connection has been opened for it."""
        self._dial = None
        self._use(connection, is_kept=False)

    def _begin(self) -> None:
        if monotonic() >= self.deadline.at:
            raise TimedOut("deadline exceeded")
        self._written = self._address.request_bytes(self.request)
        connection = self._address.idle.take()
        if connection is None:
            self._open()
        else:
            self._use(connection, is_kept=True)

    def _open(self) -> None:
        means, until = self._means, self.deadline.at
        self._dial = Dial(self, self._address, self.poller, means.resolver, until, self._steps)
        self._dial.begin()

    def _use(self, connection: Connection, *, is_kept: bool) -> None:
        memory, request = self._means.memory, self.request
        parser = ReplyParser(request.method, request.max_reply, memory, memory.lease())
        self._transfer = Transfer(
            *(self, self.poller, connection, self._written, parser, self._steps), is_kept=is_kept
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
        """Handle a broken connection; the service may have closed a reused one meanwhile."""
        self._drop_transfer()
        has_begun = transfer.parser.has_begun
        may_be_met = transfer.is_kept and not has_begun and self.request.method in IDEMPOTENT
        with self._lock:
            again = may_be_met and not (self._once or self._cancelled)
            if again:  # RFC 9112, section 9.3.1
                self._sent = False
        if not again:
            raise Unreachable(str(error), "" if has_begun else "reset")
        self._open()

    def _complete(self, transfer: Transfer) -> None:
        """The reply is whole: the connection is another's, the body is decoded and passed on."""
        connection, parser = transfer.release(), transfer.parser
        self._transfer, self._written = None, b""
        if parser.keeps_connection and monotonic() < connection.serves_until:
            self._means.returned(self._address, connection)
        else:
            connection.close()
        self._over = True
        self.poller.discard(self)
        is_coded, work = bool(coding_of(parser)), partial(self._pass_on, parser)
        self._means.unpack(self.poller, parser.size, work, coded=is_coded)

    def _pass_on(self, parser: ReplyParser) -> None:
        """Decode the body, and put the completion; on a thread that may take long for it."""
        self._put(unpacked(parser, self.request.max_reply))

    # -- its end ----------------------------------------------------------------------------------

    def _end(self, result: BffError) -> None:
        """It has failed."""
        if not self._over:
            self._let_go()
            self._put(result)

    def _release(self) -> None:
        """It was given up: nothing is put."""
        if not self._over:
            self._let_go()
            self._means.slots.leave(self)

    def _let_go(self) -> None:
        self._over = True
        if self._dial is not None:
            self._dial.abandon()
            self._dial = None
        self._drop_transfer()
        self.poller.discard(self)

    def _put(self, result: Any) -> None:
        self._means.slots.leave(self)
        if isinstance(result, BffError):
            result = without_frames(result)
        try:
            self._sink.put(Completion(self.attempt, result, self._steps))
        except Exception as error:  # noqa: BLE001 - the thread goes on for others
            logger.error("unexpected %s", type(error).__name__, exc_info=error)

    def _drop_transfer(self) -> None:
        transfer, self._transfer = self._transfer, None
        if transfer is not None:
            transfer.release().close()
