"""One request over one connection: written, and its reply read, without blocking."""

from typing import Final

from bff.errors import Unreachable
from bff.upstream.body import codings_in
from bff.upstream.sockets.connection import Connection
from bff.upstream.sockets.poller import READ, Poller, Watched
from bff.upstream.sockets.reply_parser import ReplyParser
from bff.upstream.sockets.unpack import coding_of
from bff.upstream.steps import Steps
from bff.upstream.wire import ends_uncertainly

_READS: Final = 4  # of 64 KB each, before others have their turn


class ConnectionBroken(Unreachable):
    """The connection is broken, or has ended before the reply did."""


class Transfer:
    """What is on its way over a connection; used by the thread of its poller only.

    Args:
        attempt: what the poller serves when the connection is ready.
        written: the request, as it is sent.
        parser: takes in the reply.

    Attributes:
        is_kept: the connection had served others before.
    """

    __slots__ = ("_attempt", "_connection", "_poller", "_rest", "_steps", "is_kept", "parser")

    def __init__(
        self,
        attempt: Watched,
        poller: Poller,
        connection: Connection,
        written: bytes,
        parser: ReplyParser,
        steps: Steps | None,
        *,
        is_kept: bool,
    ) -> None:
        self._attempt, self._poller, self._connection = attempt, poller, connection
        self._rest, self.parser, self._steps = memoryview(written), parser, steps
        self.is_kept = is_kept
        self._note("send_request_headers.started")

    def advance(self) -> bool:
        """Write or read what can be; whether the reply is whole.

        Raises:
            ConnectionBroken: the rest of it will not come.
            UpstreamError: what has come is not to be used.
        """
        if self._rest:
            self._write()
            return False
        return self._read()

    def release(self) -> Connection:
        """The connection, which this has registered with its poller no more."""
        self._rest = memoryview(b"")
        self.parser.close()
        self._poller.unregister(self._connection.fileno())
        return self._connection

    def _write(self) -> None:
        """Write what can be; a connection that breaks may still bring a reply (RFC 9112, 9.5)."""
        connection = self._connection
        try:
            while self._rest:
                sent = connection.send(self._rest)
                if not sent:
                    self._register(connection.waits_for)
                    return
                self._rest = self._rest[sent:]
        except OSError:
            self._rest = memoryview(b"")
            connection.serves_until = 0.0
        self._note("send_request_headers.complete")
        self._note("send_request_body.complete")
        self._register(READ)

    def _read(self) -> bool:
        connection, parser = self._connection, self.parser
        for _ in range(_READS):
            try:
                data = connection.receive()
            except OSError as error:
                raise ConnectionBroken(f"ReadError: {error}") from None
            if data is None:
                self._register(connection.waits_for)
                return False
            if not data:
                return self._hung_up()
            self._take(data)
            if parser.complete:
                return True
            if not connection.may_hold_more(len(data)):
                return False
            if not parser.has_head:
                break  # heads cost the most: many of them, as of 1xx, are not read at one go
        self._poller.again(self._attempt)
        return False

    def _take(self, data: bytes) -> None:
        parser = self.parser
        had_head = parser.has_head
        parser.feed(data)
        if parser.has_head and not had_head:
            self._note("receive_response_headers.complete")
            codings_in(coding_of(parser))

    def _hung_up(self) -> bool:
        """The service has ended the connection, and perhaps the reply with it."""
        if not self.parser.end():
            raise ConnectionBroken("RemoteProtocolError")
        if self._connection.ragged:
            raise ends_uncertainly()
        return True

    def _register(self, events: int) -> None:
        self._poller.register(self._connection.fileno(), self._attempt, events)

    def _note(self, name: str) -> None:
        if self._steps is not None:
            self._steps.note(name, {})
