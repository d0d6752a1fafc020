"""Faults that a stub service plays on the wire; each is one function and one line in a table."""

import socket
import struct
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from threading import Event

from bff.dev.recordings.message import Fault, StubReply
from bff.dev.stubs.http import render_head

DRIBBLE_SECONDS = 0.05


def _reset(sock: socket.socket, _reply: StubReply, _stopping: Event) -> None:
    # SO_LINGER with 0 seconds makes the following close abort the connection.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _empty(_sock: socket.socket, _reply: StubReply, _stopping: Event) -> None:
    """Send nothing; the connection is then closed."""


def _truncated(sock: socket.socket, reply: StubReply, _stopping: Event) -> None:
    promised = max(1, len(reply.body))
    head = render_head(reply, keep_alive=True, framing=f"Content-Length: {promised}")
    sock.sendall(head + reply.body[: promised // 2])


def _dribble_headers(sock: socket.socket, reply: StubReply, stopping: Event) -> None:
    head = render_head(reply, keep_alive=True).removesuffix(b"\r\n") + b"X-Dribble: "
    _dribble(sock, (bytes([byte]) for byte in chain(head, repeat(ord("a")))), stopping)


def _dribble_body(sock: socket.socket, reply: StubReply, stopping: Event) -> None:
    # Chunked, so that no Content-Length announces the end.
    sock.sendall(render_head(reply, keep_alive=True, framing="Transfer-Encoding: chunked"))
    body = chain(reply.body, repeat(ord(" ")))
    _dribble(sock, (b"1\r\n%c\r\n" % byte for byte in body), stopping)


def _dribble(sock: socket.socket, pieces: Iterator[bytes], stopping: Event) -> None:
    for piece in pieces:
        sock.sendall(piece)
        if stopping.wait(DRIBBLE_SECONDS):
            return


def _hang(sock: socket.socket, _reply: StubReply, _stopping: Event) -> None:
    sock.settimeout(None)
    while sock.recv(4096):  # ends when the client leaves, or stop() shuts the socket down
        pass


FAULTS: dict[Fault, Callable[[socket.socket, StubReply, Event], None]] = {
    "reset": _reset,
    "empty": _empty,
    "truncated": _truncated,
    "dribble_headers": _dribble_headers,
    "dribble_body": _dribble_body,
    "hang": _hang,
}
