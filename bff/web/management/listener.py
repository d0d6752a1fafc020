"""The management listener: its own threads respond while all request threads are busy."""

import socket
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader, RawIOBase
from socketserver import BaseServer, ThreadingMixIn
from threading import BoundedSemaphore, Thread
from time import monotonic
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

MANAGED: Final = "bff.management"  # a key of the environ of its requests
_READ_TIMEOUT: Final = 10  # seconds for the whole request
_POLL_INTERVAL: Final = 0.1  # seconds, of the check for shutdown
MAX_CONNECTIONS: Final = 16  # at once; further ones wait to be accepted


class _DeadlineReader(RawIOBase):
    """Reads from a socket with a total deadline: a slow client cannot hold a thread (slowloris)."""

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
            self._sock.settimeout(self._seconds)  # for the response


class _ManagementHandler(WSGIRequestHandler):
    timeout = _READ_TIMEOUT

    def setup(self) -> None:
        """Open the connection, and limit the time for its request."""
        super().setup()
        self.rfile = BufferedReader(_DeadlineReader(self.connection, self.timeout))

    def handle(self) -> None:
        """Handle one request; a connection that is closed or times out is no error."""
        with suppress(TimeoutError, ConnectionError):
            super().handle()

    def get_environ(self) -> dict[str, Any]:
        """The environ as in gunicorn, plus `MANAGED`, which no header can set."""
        return {**super().get_environ(), "gunicorn.socket": self.connection, MANAGED: True}

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing; the app has its own log."""


class ManagementServer(ThreadingMixIn, WSGIServer):
    """Serves a WSGI app on a listening socket, with one thread for each connection.

    Args:
        listening: a bound socket that listens.
        app: the same app as on the other sockets.
    """

    daemon_threads = True

    def __init__(self, listening: socket.socket, app: Callable[..., Any]) -> None:
        address = listening.getsockname()
        BaseServer.__init__(self, address, _ManagementHandler)
        self.socket = listening
        self.server_name, self.server_port = str(address[0]), address[1]
        self.setup_environ()
        self.set_app(app)
        self._slots = BoundedSemaphore(MAX_CONNECTIONS)

    def start(self) -> None:
        """Accept connections, on a new thread."""
        run = {"poll_interval": _POLL_INTERVAL}
        Thread(target=self.serve_forever, kwargs=run, name="bff-management", daemon=True).start()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept the next connection, once fewer than `MAX_CONNECTIONS` are open."""
        self._slots.acquire()
        try:
            return super().get_request()
        except BaseException:
            self._slots.release()
            raise

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and allow another."""
        try:
            super().shutdown_request(request)
        finally:
            self._slots.release()
