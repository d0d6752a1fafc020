"""A service that makes and takes bodies of any size, and sends events when it is told to."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from typing import Any

from bff.web.client_gone import gone_of

PIECE = b"0123456789abcdef" * 4096
UNKNOWN_CODING = "Transfer-Encoding: xchunked"  # a 501 (RFC 9112, section 6.1)
# Bodies that two servers may take for two different ones (RFC 9112, section 6.3).
FRAMINGS = [
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nContent-Length: 5",
    "Content-Length: 5\r\nContent-Length: 6",
    "Content-Length: 5, 5",
    "Content-Length: +5",
    "Content-Length: 5x",
    "Content-Length: -1",
    UNKNOWN_CODING,
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding:\x0bchunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer_Encoding: chunked\r\nContent-Length: 5\r\nContent-Length : 9",
]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Streaming"

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers.items())))
        if self.path.startswith("/events"):
            self._events()
        else:
            last = self.path.rpartition("/")[2]
            self._large(int(last) if last.isdigit() else 0)

    def do_PUT(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers.items())))
        size = sum(map(len, self._pieces()))
        text = str(size).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _pieces(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers["Content-Length"])
        while left:
            piece = self.rfile.read(min(left, len(PIECE)))
            left -= len(piece)
            yield piece

    def _large(self, size: int) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for _ in range(size // len(PIECE)):
            self.wfile.write(PIECE)
        self.wfile.write(PIECE[: size % len(PIECE)])

    def _events(self) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        own: Queue[bytes] = Queue()
        self.server.listeners.append(own)
        try:
            while not self.server.stopping.is_set():
                try:
                    self.wfile.write(own.get(timeout=0.1))
                except Empty:
                    if gone_of({"gunicorn.socket": self.connection})():
                        return
        except OSError:
            pass
        finally:
            self.server.listeners.remove(own)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class Streaming(ThreadingHTTPServer):
    """Knows what it was asked, and who listens for events."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.listeners: list[Queue[bytes]] = []
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def say(self, event: bytes) -> None:
        for each in list(self.listeners):
            each.put(event)

    def handle_error(self, *_: Any) -> None:
        """A client that leaves is what is tested."""


@contextmanager
def streaming() -> Iterator[Streaming]:
    with Streaming() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()


def lines(reply: HTTPResponse, number: int) -> list[bytes]:
    """So many lines that are no comments."""
    found: list[bytes] = []
    while len(found) < number:
        line = reply.readline()
        assert line, "the stream has ended"
        found += [line] if line != b":\n" else []
    return found


def raw(port: int, request: bytes, *, more: bool = False) -> bytes:
    """What a request, sent byte by byte as it is, is answered."""
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.sendall(request)
        if not more:
            sock.shutdown(socket.SHUT_WR)
        parts = []
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def get(port: int, target: str, host: str = "127.0.0.1") -> bytes:
    text = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    return raw(port, text.encode("latin-1"), more=True)  # half-closed is gone, to nginx
