"""The request body of the worker: read on demand; an unread rest is discarded.

An answer that is sent before the body was read leaves bytes on the connection. They are read and
discarded within limits, so that the connection can be reused. Where that is not possible, the
answer has `Connection: close`, and the connection is closed in stages (RFC 9112, section 9.6): see
`bff.server.linger`.
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
    """A request body (`wsgi.input`), which also decides if the connection can be reused.

    Args:
        request: that of gunicorn, with the body that this one replaces; its `must_close` is set.
        sock: the connection.
        most: maximum bytes that are discarded.
    """

    def __init__(self, request: Any, sock: socket.socket, most: int) -> None:
        self._request, self._body, self._sock = request, request.body, sock
        self._close = request.must_close
        # 100 Continue is sent when the app reads the body (RFC 9110, section 10.1.1); gunicorn
        # would send it before it calls the app.
        self._expected = request._expected_100_continue  # noqa: SLF001 - gunicorn has no public name for it
        request._expected_100_continue = False  # noqa: SLF001
        self.allowance = most
        self._update_must_close()

    @property
    def failed(self) -> bool:
        """True if reading failed, so that the start of the next request is unknown."""
        return bool(self._body.failed)

    def read(self, size: int | None = None) -> bytes:
        """Up to `size` bytes; fewer if the client closed the connection.

        Raises:
            ParseException, OSError: as the body of gunicorn.
        """
        with self._reading():
            return bytes(self._body.read(size))

    def readline(self, size: int | None = None) -> bytes:
        """Bytes up to the end of a line; raises as `read` does."""
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
            unreader: the buffer of gunicorn in front of the socket.

        Returns:
            True if the end of the body was reached.
        """
        if self._is_over():
            return True
        if self._request.must_close:
            return False
        bounded = unreader.sock = _BoundedSocket(self._sock, monotonic() + seconds, self.allowance)
        try:
            with waiting(BODIES):
                while self._body.read(_PIECE):
                    pass
        except Exception:  # noqa: BLE001 - after any error the connection is closed
            return False
        finally:
            self.allowance = bounded.allowance
            unreader.sock = self._sock
            self._sock.settimeout(None)
        return self._is_over()

    def _is_over(self) -> bool:
        """True if the whole body has been read from the connection."""
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
            self._update_must_close()

    def _update_must_close(self) -> None:
        """Decide on `Connection: close`, as long as the head of the answer is not sent."""
        too_long = getattr(self._body.reader, "length", 0) > self.allowance
        self._request.must_close = self._close or self._expected or self.failed or too_long


class _BoundedSocket:
    """A socket with a deadline and a maximum number of bytes for receiving."""

    def __init__(self, sock: socket.socket, end: float, allowance: int) -> None:
        self._sock, self._end, self.allowance = sock, end, allowance

    def recv(self, size: int) -> bytes:
        """Receive bytes, as `socket.recv`.

        Raises:
            TimeoutError: the deadline has passed, or the maximum is reached.
        """
        left = self._end - monotonic()
        if left <= 0 or self.allowance <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        data = self._sock.recv(min(size, self.allowance))
        self.allowance -= len(data)
        return data
