"""The management listener on threads of its own: it answers while all request threads are busy."""

import socket
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader, RawIOBase
from socketserver import BaseServer, ThreadingMixIn
from threading import BoundedSemaphore, Thread
from time import monotonic
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

MANAGED: Final = "bff.management"  # set in the environ of what came in on its socket
_PATIENCE: Final = 10  # seconds that a connection may take to say what it wants
_NOTICE: Final = 0.1  # seconds within which an end is noticed
MOST: Final = 16  # connections at once; further ones wait to be accepted


class _Timed(RawIOBase):
    """What a client sends, for so many seconds in all: it may not hold a thread byte by byte."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock, self._seconds, self._end = sock, seconds, monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        try:
            return self._sock.recv_into(buffer)
        finally:
            self._sock.settimeout(self._seconds)  # for the answer


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def setup(self) -> None:
        """Read from the connection, within bounds."""
        super().setup()
        self.rfile = BufferedReader(_Timed(self.connection, self.timeout))

    def handle(self) -> None:
        """Answer a request, if one comes."""
        with suppress(TimeoutError, ConnectionError):
            super().handle()

    def get_environ(self) -> dict[str, Any]:
        """As gunicorn's, with what only this listener says, and no header can."""
        return {**super().get_environ(), "gunicorn.socket": self.connection, MANAGED: True}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: the app tells what is worth a line."""


class Operators(ThreadingMixIn, WSGIServer):
    """Answers requests on a socket that listens already, each connection on a thread of its own.

    Args:
        app: the same as on the other sockets.
    """

    daemon_threads = True

    def __init__(self, listening: socket.socket, app: Callable[..., Any]) -> None:
        address = listening.getsockname()
        BaseServer.__init__(self, address, _Handler)
        self.socket = listening
        self.server_name, self.server_port = str(address[0]), address[1]
        self.setup_environ()
        self.set_app(app)
        self._room = BoundedSemaphore(MOST)

    def start(self) -> None:
        """Answer, on a thread of its own."""
        run = {"poll_interval": _NOTICE}
        Thread(target=self.serve_forever, kwargs=run, name="bff-management", daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection, once there is a thread for it; for no longer than others last."""
        self._room.acquire()
        try:
            return super().get_request()
        except BaseException:
            self._room.release()
            raise

    def shutdown_request(self, request: Any) -> None:
        """End a connection, however it came to its end."""
        try:
            super().shutdown_request(request)
        finally:
            self._room.release()
