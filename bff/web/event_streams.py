"""Server-sent events (HTML, section 9.2): passed on with limits on their number and duration.

A thread of its own reads from the service while the request's thread writes to the client. So while
a service is silent, comments keep the connection alive, and a client that has disconnected or whose
session has ended is noticed.
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final, Self

from bff.errors import BffError, RequestRefused, StoreAway
from bff.model.exchange import Reply
from bff.model.principal import Principal
from bff.upstream.exchange import StreamedReply
from bff.web.client_gone import gone_of
from bff.web.management import drain

_UNAVAILABLE: Final = 503
_TICK: Final = 0.5  # seconds between two checks for a disconnected client
_CHECK: Final = 2.0  # seconds between two checks of its session
_BUFFERED: Final = 16  # pieces that are buffered for a slow client; then the service has to wait
_COMMENT: Final = b":\n"  # no blank line, which would end an incomplete event

AT_ONCE: Final = {  # disables buffering in proxies in front
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx
}

Alive = Callable[[str], bool]  # whether the session of a key is active; may raise StoreAway


def is_events(head: Reply) -> bool:
    """Whether the Content-Type of a reply is that of an event stream (HTML, section 9.2.5)."""
    kind = (head.header("content-type") or "").partition(";")[0].strip().lower()
    return kind == "text/event-stream"


def is_coded(head: Reply) -> bool:
    """Whether a reply is compressed: comments cannot be inserted into such a stream."""
    return (head.header("content-encoding") or "identity").strip().lower() != "identity"


class EventStreams:
    """The open streams of a process.

    Args:
        most: the maximum of open streams, at least 1; the other threads are for other requests.
        alive: whether a session is active.
    """

    def __init__(self, most: float, alive: Alive) -> None:
        self._most, self._alive = max(1, int(most)), alive
        self._lock, self._open = Lock(), 0

    def take(self) -> Callable[[], None]:
        """Count a stream that is about to open.

        Returns:
            A function that releases it; further calls of it do nothing.

        Raises:
            RequestRefused: 503, as the maximum is reached.
        """
        with self._lock:
            if self._open >= self._most:
                raise RequestRefused(_UNAVAILABLE, "too many streams are open")
            self._open += 1
        released = Event()

        def release() -> None:
            with self._lock:
                if not released.is_set():
                    released.set()
                    self._open -= 1

        return release

    def body(
        self,
        incoming: StreamedReply,
        keep_alive: float,
        max_age: float,
        principal: Principal,
        environ: Mapping[str, Any],
        resources: ExitStack,
    ) -> Iterator[bytes]:
        """The body of the answer, up to the end of the stream, of the session, or of `max_age`.

        Args:
            keep_alive: seconds without an event after which a comment is sent.
            max_age: seconds after which the stream is closed.
            resources: gets the reading thread, which is stopped with it.

        Raises:
            RequestRefused: 503, as no thread can be started.
        """
        incoming.wait(max_age)
        pump = resources.enter_context(_Pump(incoming))
        return self._pieces(pump, keep_alive, max_age, principal, environ)

    def _pieces(
        self,
        pump: "_Pump",
        keep_alive: float,
        max_age: float,
        principal: Principal,
        environ: Mapping[str, Any],
    ) -> Iterator[bytes]:
        gone = gone_of(environ)
        ends = monotonic() + max_age
        check = monotonic() + _CHECK
        mark = _ByteOrderMark()
        last_sent, at_line_end = monotonic(), True
        try:
            yield _COMMENT  # servers send the head with the first piece (PEP 3333)
            while monotonic() < ends and not drain.begun():
                piece = pump.next(_TICK)
                if piece == b"":
                    return
                if piece is not None:
                    piece = mark.removed(piece)
                if piece:
                    yield piece
                    last_sent, at_line_end = monotonic(), piece.endswith(b"\n")
                elif gone and gone():
                    return
                elif at_line_end and monotonic() - last_sent >= keep_alive:
                    yield _COMMENT
                    last_sent = monotonic()
                if monotonic() >= check:
                    if self._is_over(principal):
                        return
                    check = monotonic() + _CHECK
        finally:
            pump.stop()

    def _is_over(self, principal: Principal) -> bool:
        """Whether the session of the client has ended."""
        if not principal.session:
            return False
        try:
            return not self._alive(principal.session)
        except StoreAway:  # unknown: the stream goes on until `max_age`
            return False


class _ByteOrderMark:
    """Removes the byte order mark that a stream may begin with (HTML, section 9.2.5).

    As a comment is sent first, a browser would take the mark for a part of the first field's name.
    """

    def __init__(self) -> None:
        self._begin: bytes | None = b""

    def removed(self, piece: bytes) -> bytes:
        """A piece without the mark; empty while its first bytes may still be one."""
        if self._begin is None:
            return piece
        begin = self._begin + piece
        if len(begin) < len(BOM_UTF8) and BOM_UTF8.startswith(begin):
            self._begin = begin
            return b""
        self._begin = None
        return begin.removeprefix(BOM_UTF8)


class _Pump:
    """Reads a stream on a thread of its own, at most a few pieces ahead of the client."""

    def __init__(self, incoming: StreamedReply) -> None:
        self._incoming = incoming
        self._pieces: Queue[bytes] = Queue(_BUFFERED)
        self._stopped = Event()
        self._thread = Thread(target=self._read, name="bff-events", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no more threads
            raise RequestRefused(_UNAVAILABLE, "too many streams are open") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def next(self, timeout: float) -> bytes | None:
        """The next piece; empty at the end, None if none arrives within `timeout` seconds."""
        try:
            return self._pieces.get(timeout=timeout)
        except Empty:
            return None

    def stop(self) -> None:
        """Stop reading; returns when the thread no longer uses the connection."""
        self._stopped.set()
        self._incoming.cancel()
        self._thread.join()

    def _read(self) -> None:
        try:
            for piece in self._incoming:
                if not self._put(piece):
                    return
        except BffError:
            pass  # the client sees the end of the stream, and reconnects
        self._put(b"")

    def _put(self, piece: bytes) -> bool:
        """Add a piece, when there is room; False once reading has stopped."""
        while not self._stopped.is_set():
            try:
                self._pieces.put(piece, timeout=_TICK)
            except Full:
                continue
            return True
        return False
