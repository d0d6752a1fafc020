"""The body of a request in gunicorn's worker: read on demand, discarded where nothing reads it.

An answer that is sent before the body was read leaves bytes on the connection. They are read and
discarded within bounds, so that the connection can be used again. Where that is not possible the
answer says `Connection: close` and the connection is closed in stages (RFC 9112, section 9.6):
see `bff.server.linger`.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final

from bff.web.management.reading_threads import BODIES, waiting

_PIECE: Final = 64 * 1024
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestBody:
    """A body (`wsgi.input`), and whether the connection must be closed because of it.

    Args:
        request: gunicorn's, with the body that this one replaces; its `must_close` is updated.
        sock: the connection.
        most: how many bytes may be discarded.
    """

    def __init__(self, request: Any, sock: socket.socket, most: int) -> None:
        self._request, self._body, self._sock = request, request.body, sock
        self._close = request.must_close
        # Only a body that is wanted is asked for (RFC 9110, section 10.1.1); gunicorn itself asks
        # for all of them before it calls the app.
        self._expected = request._expected_100_continue  # noqa: SLF001 - it has no other name
        request._expected_100_continue = False  # noqa: SLF001
        self.allowance = most
        self._settle()

    @property
    def failed(self) -> bool:
        """Whether reading failed, so that the start of the next request is unknown."""
        return bool(self._body.failed)

    def read(self, size: int | None = None) -> bytes:
        """Up to `size` bytes; fewer if the client closed the connection.

        Raises:
            ParseException, OSError: as gunicorn's body does.
        """
        with self._reading():
            return bytes(self._body.read(size))

    def readline(self, size: int | None = None) -> bytes:
        """Up to the end of a line; raises as `read` does."""
        with self._reading():
            return bytes(self._body.readline(size))

    def readlines(self, size: int | None = None) -> list[bytes]:
        """All lines; raises as `read` does."""
        with self._reading():
            return list(self._body.readlines(size))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def discard(self, unreader: Any, seconds: float) -> bool:
        """Read the rest, for at most `seconds` and `allowance` bytes.

        Args:
            unreader: gunicorn's buffer in front of the socket.

        Returns:
            Whether the end of the body was reached.
        """
        if self._is_over():
            return True
        if self._request.must_close:
            return False
        bounded = unreader.sock = _Bounded(self._sock, monotonic() + seconds, self.allowance)
        try:
            with waiting(BODIES):
                while self._body.read(_PIECE):
                    pass
        except Exception:  # noqa: BLE001 - whatever it is, the connection is closed
            return False
        finally:
            self.allowance = bounded.allowance
            unreader.sock = self._sock
            self._sock.settimeout(None)
        return self._is_over()

    def _is_over(self) -> bool:
        """Whether all of it has been taken from the connection."""
        if self.failed:
            return False
        reader = self._body.reader
        return bool(reader.length == 0 if hasattr(reader, "length") else reader.parser is None)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        if self._expected:
            self._expected = False
            self._sock.sendall(_CONTINUE)
        try:
            with waiting(BODIES):
                yield
        finally:
            self._settle()

    def _settle(self) -> None:
        """Announce the close while the head of the answer can still do so."""
        too_long = getattr(self._body.reader, "length", 0) > self.allowance
        self._request.must_close = self._close or self._expected or self.failed or too_long


class _Bounded:
    """A socket to receive from until a point in time, and up to a number of bytes."""

    def __init__(self, sock: socket.socket, end: float, allowance: int) -> None:
        self._sock, self._end, self.allowance = sock, end, allowance

    def recv(self, size: int) -> bytes:
        """Bytes, as `socket.recv`.

        Raises:
            TimeoutError: the time is up, or there were too many bytes.
        """
        left = self._end - monotonic()
        if left <= 0 or self.allowance <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        data = self._sock.recv(min(size, self.allowance))
        self.allowance -= len(data)
        return data
