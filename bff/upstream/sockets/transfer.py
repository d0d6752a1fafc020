"""Writes one request to a connection and reads its reply, without blocking."""

from typing import Final

from bff.errors import Unreachable
from bff.upstream.body import codings_in
from bff.upstream.connection_events import ConnectionEvents
from bff.upstream.httpx_mapping import truncation_error
from bff.upstream.sockets.connection import Connection
from bff.upstream.sockets.decode import content_coding
from bff.upstream.sockets.poller import READ, Poller, Watched
from bff.upstream.sockets.reply_parser import ReplyParser

_READS: Final = 4  # of 64 KB each, before other connections are served


class ConnectionBroken(Unreachable):
    """The connection is broken, or ended before the reply was complete."""


class Transfer:
    """A request and its reply on a connection; used by the thread of its poller only.

    Args:
        attempt: the client of the poller for events of the connection.
        written: the serialized request.
        parser: parses the reply.

    Attributes:
        is_reused: whether the connection has served other requests.
    """

    __slots__ = ("_attempt", "_connection", "_events", "_poller", "_rest", "is_reused", "parser")

    def __init__(
        self,
        attempt: Watched,
        poller: Poller,
        connection: Connection,
        written: bytes,
        parser: ReplyParser,
        events: ConnectionEvents | None,
        *,
        is_reused: bool,
    ) -> None:
        self._attempt, self._poller, self._connection = attempt, poller, connection
        self._rest, self.parser, self._events = memoryview(written), parser, events
        self.is_reused = is_reused
        self._note("send_request_headers.started")

    def advance(self) -> bool:
        """Write or read without blocking; returns whether the reply is complete.

        Raises:
            ConnectionBroken: the connection ended before the reply was complete.
            UpstreamError: the reply is invalid or too large.
        """
        if self._rest:
            self._write()
            return False
        return self._read()

    def release(self) -> Connection:
        """Unregister the connection from the poller, and return it."""
        self._rest = memoryview(b"")
        self.parser.close()
        self._poller.unregister(self._connection.fileno())
        return self._connection

    def _write(self) -> None:
        """Write without blocking; a reply may follow a failed write (RFC 9112, section 9.5)."""
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
                break  # parsing heads is expensive: a series of 1xx must not block others
        self._poller.requeue(self._attempt)
        return False

    def _take(self, data: bytes) -> None:
        parser = self.parser
        had_head = parser.has_head
        parser.feed(data)
        if parser.has_head and not had_head:
            self._note("receive_response_headers.complete")
            codings_in(content_coding(parser))

    def _hung_up(self) -> bool:
        """Handle the end of the connection, which may be the end of the reply."""
        if not self.parser.end():
            raise ConnectionBroken("RemoteProtocolError")
        if self._connection.ragged:
            raise truncation_error()
        return True

    def _register(self, events: int) -> None:
        self._poller.register(self._connection.fileno(), self._attempt, events)

    def _note(self, name: str) -> None:
        if self._events is not None:
            self._events.record(name, {})
