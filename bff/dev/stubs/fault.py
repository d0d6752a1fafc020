"""The ways in which a stub service breaks a reply on the wire. To add one: a function, a line."""

import socket
import struct
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from threading import Event

from bff.dev.recordings.message import Fault, StubReply
from bff.dev.stubs.http import render_head

DRIBBLE_SECONDS = 0.05


def _reset(sock: socket.socket, _reply: StubReply, _stopping: Event) -> None:
    # Lingering for no time makes the close, which follows, abort the connection.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _empty(_sock: socket.socket, _reply: StubReply, _stopping: Event) -> None:
    """Nothing is sent; the close follows."""


def _truncated(sock: socket.socket, reply: StubReply, _stopping: Event) -> None:
    promised = max(1, len(reply.body))
    head = render_head(reply, keep_alive=True, framing=f"Content-Length: {promised}")
    sock.sendall(head + reply.body[: promised // 2])


def _dribble_headers(sock: socket.socket, reply: StubReply, stopping: Event) -> None:
    head = render_head(reply, keep_alive=True).removesuffix(b"\r\n") + b"X-Dribble: "
    _dribble(sock, (bytes([byte]) for byte in chain(head, repeat(ord("a")))), stopping)


def _dribble_body(sock: socket.socket, reply: StubReply, stopping: Event) -> None:
    # Chunked, so that no length gives away how much is to come.
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
