"""One request on its way over a non-blocking connection: a small state machine.

In line, connecting, writing, reading, unpacking, over. Only the thread of its poller moves it;
other threads may ask for its end.
"""

from collections.abc import Callable
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any, Final, Protocol

from bff.errors import BffError, Cancelled, TimedOut, Unreachable
from bff.model.exchange import Deadline, Request
from bff.observe.boundary import without_frames
from bff.observe.log import logger
from bff.upstream.address import Address
from bff.upstream.body import codings_in
from bff.upstream.connection import Connection
from bff.upstream.dial import Dial
from bff.upstream.exchange import Completion, Sink
from bff.upstream.memory import Memory
from bff.upstream.poller import READ, Poller
from bff.upstream.reply_parser import ReplyParser
from bff.upstream.resolve import Resolver
from bff.upstream.retry import IDEMPOTENT
from bff.upstream.slots import Slots
from bff.upstream.steps import Steps
from bff.upstream.unpack import coding_of, unpacked
from bff.upstream.wire import ends_uncertainly

_READS: Final = 4  # of 64 KB each, before others have their turn


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
        "_connection",
        "_dial",
        "_is_kept",
        "_lock",
        "_means",
        "_once",
        "_over",
        "_parser",
        "_rest",
        "_sent",
        "_sink",
        "_steps",
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
        self._is_kept = False  # its connection had served others before
        self._connection: Connection | None = None
        self._dial: Dial | None = None
        self._rest = memoryview(b"")
        self._parser: ReplyParser | None = None

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
        if withdrawn:
            self.cancel()
        return withdrawn

    def admitted(self) -> None:
        """It has got a slot."""
        self.poller.post(self.begin)

    # -- for the thread of its poller -------------------------------------------------------------

    def refuse(self, why: str) -> None:
        """End it before it began."""
        self._end(Unreachable(why, "connect"))

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
            self.step(self._write if self._rest else self._read)

    def expire(self, now: float) -> None:
        """Its time is over, or that of an address that does not answer."""
        if self._dial is not None and now < self.deadline.at:
            self.step(self._dial.expire)
        else:
            self._end(TimedOut("the time is over"))

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
        self._use(connection)

    def _begin(self) -> None:
        if monotonic() >= self.deadline.at:
            raise TimedOut("the time is over")
        connection = self._address.idle.take()
        if connection is None:
            self._open()
        else:
            self._is_kept = True
            self._use(connection)

    def _open(self) -> None:
        self._is_kept = False
        means = self._means
        self._dial = Dial(
            *(self, self._address, self.poller, means.resolver, self.deadline.at), self._steps
        )
        self._dial.begin()

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        memory, request = self._means.memory, self.request
        self._parser = ReplyParser(request.method, request.max_reply, memory, memory.lease())
        self._rest = memoryview(self._address.request_bytes(self.request))
        with self._lock:
            if self._cancelled:
                raise Cancelled("nobody waits for it any more")
            self._sent = True
        self._note("send_request_headers.started")
        self._write()

    def _write(self) -> None:
        """Write what can be written; a broken connection may still have a reply (RFC 9112, 9.5)."""
        connection = self._connection
        if connection is None:
            return
        try:
            while self._rest:
                sent = connection.send(self._rest)
                if not sent:
                    self.poller.register(connection.fileno(), self, connection.waits_for)
                    return
                self._rest = self._rest[sent:]
        except OSError:
            self._rest = memoryview(b"")
            connection.serves_until = 0.0
        self._note("send_request_headers.complete")
        self._note("send_request_body.complete")
        self.poller.register(connection.fileno(), self, READ)

    def _read(self) -> None:
        """Read what has come, but no more than a share of it before others have their turn."""
        connection, parser = self._connection, self._parser
        if connection is None or parser is None:
            return
        for _ in range(_READS):
            try:
                data = connection.receive()
            except OSError as error:
                self._broken(f"ReadError: {error}")
                return
            if data is None:
                self.poller.register(connection.fileno(), self, connection.waits_for)
                return
            if not data:
                self._hung_up(parser, connection)
                return
            self._take(parser, data)
            if parser.complete:
                self._complete(parser, connection)
                return
            if not connection.may_hold_more(len(data)):
                return
            if not parser.has_head:
                break  # heads cost the most: many of them, as of 1xx, are not read at one go
        self.poller.again(self)

    def _take(self, parser: ReplyParser, data: bytes) -> None:
        had_head = parser.has_head
        parser.feed(data)
        if parser.has_head and not had_head:
            self._note("receive_response_headers.complete")
            codings_in(coding_of(parser))

    def _hung_up(self, parser: ReplyParser, connection: Connection) -> None:
        """The service has ended the connection, and perhaps the reply with it."""
        if not parser.end():
            self._broken("RemoteProtocolError")
            return
        if connection.ragged:
            raise ends_uncertainly()
        self._complete(parser, connection)

    def _broken(self, text: str) -> None:
        """The connection is broken: a kept one may have been closed just as it was used."""
        has_begun = self._parser is not None and self._parser.has_begun
        self._drop_connection()
        with self._lock:
            again = self._is_kept and not has_begun and not (self._once or self._cancelled)
            again = again and self.request.method in IDEMPOTENT
            if again:  # RFC 9112, section 9.3.1
                self._sent = False
        if not again:
            raise Unreachable(text, "" if has_begun else "reset")
        self._open()

    def _complete(self, parser: ReplyParser, connection: Connection) -> None:
        """The reply is whole: the connection is another's, the body is decoded and passed on."""
        self._unregister(connection)
        self._connection = self._parser = None
        if parser.keeps_connection and monotonic() < connection.serves_until:
            self._means.returned(self._address, connection)
        else:
            connection.close()
        self._over = True
        self.poller.discard(self)
        parser.close()
        work = partial(self._pass_on, parser)
        coding = coding_of(parser)
        self._means.unpack(self.poller, len(parser.body), work, coded=bool(coding))

    def _pass_on(self, parser: ReplyParser) -> None:
        """Decode the body, and put the completion; on a thread that may take long for it."""
        result = unpacked(parser, self.request.max_reply)
        del parser
        self._put(result)

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
        self._drop_connection()
        self.poller.discard(self)

    def _put(self, result: Any) -> None:
        self._means.slots.leave(self)
        if isinstance(result, BffError):
            result = without_frames(result)
        try:
            self._sink.put(Completion(self.attempt, result, self._steps))
        except Exception as error:  # noqa: BLE001 - the thread goes on for others
            logger.error("unforeseen %s", type(error).__name__, exc_info=error)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        parser, self._parser = self._parser, None
        self._rest = memoryview(b"")
        if parser is not None:
            parser.close()
        if connection is not None:
            self._unregister(connection)
            connection.close()

    def _unregister(self, connection: Connection) -> None:
        self.poller.unregister(connection.fileno())

    def _note(self, name: str) -> None:
        if self._steps is not None:
            self._steps.note(name, {})
