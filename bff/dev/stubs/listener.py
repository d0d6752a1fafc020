"""A listening socket with a thread for each connection; closing it ends all of them."""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Lock, Thread, current_thread

_JOIN_SECONDS = 5.0
_RETRY_SECONDS = 0.05

Serve = Callable[[socket.socket, Event], None]


class Listener:
    """Listens from its creation until `close()`.

    `serve` is called with each accepted socket, in a thread of its own, and with an event that is
    set when it should end; the socket is closed afterwards. Port 0 takes a free one. Raises OSError
    where the port is taken.
    """

    def __init__(self, name: str, port: int, serve: Serve, host: str = "127.0.0.1") -> None:
        self._name = name
        self._serve = serve
        self._stopping = Event()
        self._lock = Lock()
        self._open: dict[Thread, socket.socket] = {}
        # create_server sets SO_REUSEADDR: the port of a restarted service may be in TIME_WAIT.
        self._socket = socket.create_server((host, port), backlog=512)
        self.port: int = self._socket.getsockname()[1]
        self._acceptor = Thread(target=self._accept, name=f"stub {name}", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Stop listening, close every connection and wait for the threads to end."""
        with self._lock:
            self._stopping.set()
            still_open = dict(self._open)
        for sock in (self._socket, *still_open.values()):
            with suppress(OSError):  # already closed by the peer or its thread
                sock.shutdown(socket.SHUT_RDWR)
        for thread in (self._acceptor, *still_open):
            if thread is not current_thread():  # an answerer may stop its own service
                thread.join(_JOIN_SECONDS)
        self._socket.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _ = self._socket.accept()
            except OSError:  # closed, or temporarily out of file descriptors
                self._stopping.wait(_RETRY_SECONDS)
                continue
            thread = Thread(target=self._run, args=[sock], name=f"stub {self._name}", daemon=True)
            with self._lock:
                if self._stopping.is_set():
                    sock.close()
                    return
                # Ended threads are removed only here, so that close() can join all of them.
                self._open = {one: its for one, its in self._open.items() if one.is_alive()}
                self._open[thread] = sock
                thread.start()

    def _run(self, sock: socket.socket) -> None:
        with sock:
            self._serve(sock, self._stopping)
