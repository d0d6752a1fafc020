"""Streams of events (HTML, section 9.2): passed on as they come, so many at once, and not for ever.

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
from bff.upstream.exchange import Streamed
from bff.web.client_gone import gone_of
from bff.web.management import drain

_UNAVAILABLE: Final = 503
_TICK: Final = 0.5  # seconds between two looks for whether the client is still there
_CHECK: Final = 2.0  # and for whether its session is
_HELD: Final = 16  # pieces that wait for a slow client; more, and the service has to wait
_COMMENT: Final = b":\n"  # no blank line: it would end an event that is half there

AT_ONCE: Final = {  # for the proxies in front
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # what nginx calls it
}

Alive = Callable[[str], bool]  # whether the session of this key goes on; may raise StoreAway


def is_events(head: Reply) -> bool:
    """Whether a reply is a stream of events (HTML, section 9.2.5), by its type."""
    kind = (head.header("content-type") or "").partition(";")[0].strip().lower()
    return kind == "text/event-stream"


def is_coded(head: Reply) -> bool:
    """Whether a reply is compressed: no comment can be put into such a stream."""
    return (head.header("content-encoding") or "identity").strip().lower() != "identity"


class EventStreams:
    """The open streams of a process.

    Args:
        most: streams at once, one at least; the other threads are for other requests.
        alive: whether a session goes on.
    """

    def __init__(self, most: float, alive: Alive) -> None:
        self._most, self._alive = max(1, int(most)), alive
        self._lock, self._open = Lock(), 0

    def take(self) -> Callable[[], None]:
        """Take a place; what is returned gives it back, once.

        Raises:
            RequestRefused: there is none.
        """
        with self._lock:
            if self._open >= self._most:
                raise RequestRefused(_UNAVAILABLE, "too many streams are open")
            self._open += 1
        given = Event()

        def release() -> None:
            with self._lock:
                if not given.is_set():
                    given.set()
                    self._open -= 1

        return release

    def body(
        self,
        incoming: Streamed,
        keep_alive: float,
        max_age: float,
        principal: Principal,
        environ: Mapping[str, Any],
        held: ExitStack,
    ) -> Iterator[bytes]:
        """What goes to the client, until either side ends it or it has to end.

        Args:
            keep_alive: seconds after which a silent stream says that it is there.
            max_age: seconds after which it ends.
            held: ends the thread that reads.

        Raises:
            RequestRefused: no thread can be started.
        """
        incoming.wait(max_age)
        pump = held.enter_context(_Pump(incoming))
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
        mark = _Mark()
        spoken, whole = monotonic(), True
        try:
            yield _COMMENT  # servers send the head with the first piece: it is there at once
            while monotonic() < ends and not drain.begun():
                piece = pump.next(_TICK)
                if piece == b"":
                    return
                if piece is not None:
                    piece = mark.removed(piece)
                if piece:
                    yield piece
                    spoken, whole = monotonic(), piece.endswith(b"\n")
                elif gone and gone():
                    return
                elif whole and monotonic() - spoken >= keep_alive:
                    yield _COMMENT
                    spoken = monotonic()
                if monotonic() >= check:
                    if self._is_over(principal):
                        return
                    check = monotonic() + _CHECK
        finally:
            pump.stop()

    def _is_over(self, principal: Principal) -> bool:
        if not principal.session:
            return False
        try:
            return not self._alive(principal.session)
        except StoreAway:  # not known: the stream goes on until `max_age`
            return False


class _Mark:
    """Leaves out the byte order mark that a stream may begin with (HTML, section 9.2.5).

    A comment is sent before it, after which it would be part of the first field's name.
    """

    def __init__(self) -> None:
        self._begin: bytes | None = b""

    def removed(self, piece: bytes) -> bytes:
        """A piece without it; empty while it cannot be known yet."""
        if self._begin is None:
            return piece
        begin = self._begin + piece
        if len(begin) < len(BOM_UTF8) and BOM_UTF8.startswith(begin):
            self._begin = begin
            return b""
        self._begin = None
        return begin.removeprefix(BOM_UTF8)


class _Pump:
    """Reads a stream on a thread of its own, no further ahead than a few pieces."""

    def __init__(self, incoming: Streamed) -> None:
        self._incoming = incoming
        self._pieces: Queue[bytes] = Queue(_HELD)
        self._stopped = Event()
        self._thread = Thread(target=self._read, name="bff-events", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the system has no more
            raise RequestRefused(_UNAVAILABLE, "too many streams are open") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.stop()

    def next(self, timeout: float) -> bytes | None:
        """The next piece; empty at the end, None where none came in time."""
        try:
            return self._pieces.get(timeout=timeout)
        except Empty:
            return None

    def stop(self) -> None:
        """Read no more; returns when nothing of the connection is in use."""
        self._stopped.set()
        self._incoming.cancel()
        self._thread.join()

    def _read(self) -> None:
        try:
            for piece in self._incoming:
                if not self._put(piece):
                    return
        except BffError:
            pass  # the client sees the end, and comes again
        self._put(b"")

    def _put(self, piece: bytes) -> bool:
        while not self._stopped.is_set():
            try:
                self._pieces.put(piece, timeout=_TICK)
            except Full:
                continue
            return True
        return False
