"""HTTP/1.1 (RFC 9112) on an accepted socket: reads requests, and sends each reply at once."""

import re
import socket
from http import HTTPStatus
from urllib.parse import urlsplit

from bff.dev.recordings.header_values import in_latin_1
from bff.dev.recordings.message import StubReply, StubRequest

IDLE_SECONDS = 75.0
_HEAD_LIMIT = 64 * 1024
_BODY_LIMIT = 64 * 1024 * 1024
_READ = 64 * 1024
_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODILESS = {204, 304}
_LINE_END = re.compile(r"[\r\n]+")  # scripts may send other control characters


class BadRequest(ValueError):
    """The received bytes are not an HTTP/1.1 request."""


class ConnectionClosed(Exception):
    """The peer closed the connection, or sent nothing for IDLE_SECONDS."""


class Connection:
    """Reads the requests of one connection, and tracks whether it stays open."""

    def __init__(self, sock: socket.socket) -> None:
        # With Nagle's algorithm a reply's last segment waits for the client's delayed ACK: 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(IDLE_SECONDS)
        self.sock = sock
        self.keep_alive = True
        self._buffer = bytearray()

    def read(self, service: str) -> StubRequest:
        """Wait for the next request. Raises ConnectionClosed or BadRequest."""
        first, *lines = self._line_block().split("\r\n")
        try:
            method, target, version = first.split(" ")
        except ValueError:
            raise BadRequest(f"not a request line: {first[:80]!r}") from None
        headers = [
            (name, value.strip()) for name, _, value in (line.partition(":") for line in lines)
        ]
        fields = {name.lower(): value for name, value in headers}
        options = fields.get("connection", "").lower()
        self.keep_alive = version == "HTTP/1.1" and "close" not in options
        path, _, query = _origin_form(target).partition("?")
        return StubRequest(service, method, target, path, query, headers, self._body(fields))

    def send(self, reply: StubReply, *, head_only: bool = False) -> None:
        """Send status line, headers and body at once. Raises OSError if the peer disconnected."""
        bare = head_only or reply.status in _BODILESS
        head = render_head(reply, keep_alive=self.keep_alive)
        self.sock.sendall(head if bare else head + reply.body)

    def _body(self, fields: dict[str, str]) -> bytes:
        if fields.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in fields.get("transfer-encoding", "").lower():
            return self._chunks()
        try:
            length = int(fields.get("content-length", "0"))
        except ValueError:
            raise BadRequest("Content-Length is not a number") from None
        return self._exactly(length)

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            try:
                size = int(self._until(b"\r\n").split(b";")[0], 16)
            except ValueError:
                raise BadRequest("a chunk's size is not a number") from None
            if size == 0:
                break
            body += self._exactly(size)
            self._until(b"\r\n")
        while self._until(b"\r\n"):  # trailers are ignored
            pass
        return bytes(body)

    def _line_block(self) -> str:
        return self._until(b"\r\n\r\n").decode("latin-1")

    def _until(self, mark: bytes) -> bytes:
        while (end := self._buffer.find(mark)) < 0:
            if len(self._buffer) > _HEAD_LIMIT:
                raise BadRequest("the headers are too long")
            self._receive()
        found = bytes(self._buffer[:end])
        del self._buffer[: end + len(mark)]
        return found

    def _exactly(self, length: int) -> bytes:
        if not 0 <= length <= _BODY_LIMIT:
            raise BadRequest("the body is too long")
        while len(self._buffer) < length:
            self._receive()
        found = bytes(self._buffer[:length])
        del self._buffer[:length]
        return found

    def _receive(self) -> None:
        try:
            data = self.sock.recv(_READ)
        except OSError as error:  # reset, shut down by stop(), or timed out
            raise ConnectionClosed from error
        if not data:
            raise ConnectionClosed
        self._buffer += data


def render_head(reply: StubReply, *, keep_alive: bool, framing: str | None = None) -> bytes:
    """The status line and headers, with the blank line that ends them.

    `framing` is a header line that delimits the body; without it, the headers of the reply do, or
    Content-Length is added.
    """
    lines = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Unknown')}"]
    lines += [_LINE_END.sub(" ", f"{name}: {value}") for name, value in reply.headers]
    named = {name.lower() for name, _ in reply.headers}
    if framing:
        lines.append(framing)
    elif not named & {"content-length", "transfer-encoding"} and reply.status not in _BODILESS:
        lines.append(f"Content-Length: {len(reply.body)}")
    if not keep_alive:
        lines.append("Connection: close")
    return "\r\n".join([*map(in_latin_1, lines), "\r\n"]).encode("latin-1")


def _origin_form(target: str) -> str:
    if target.startswith("/"):
        return target
    parts = urlsplit(target)  # absolute-form, which servers must accept: RFC 9112, 3.2.2
    return (parts.path or "/") + ("?" + parts.query if parts.query else "")
