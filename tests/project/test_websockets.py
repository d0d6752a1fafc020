"""WebSockets through the shipped nginx: opened for whom the app lets in, and carried past it."""

import os
import socket
import subprocess
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha1
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from bff.cli import main
from bff.dev.idp import LocalProvider
from bff.dev.idp_values import Client
from tests.e2e.serving import Visitor, running
from tests.project.test_nginx import command, free_port, listening, render

MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = b64encode(b"0123456789abcdef")
ROOT = Path(__file__).parents[2]
TEXT, CLOSE = 0x81, 0x88


class Chat(StreamRequestHandler):
    """A WebSocket server (RFC 6455): says who it was told has come, then what it hears."""

    def handle(self) -> None:
        line = self.rfile.readline()
        headers: dict[str, str] = {}
        while (each := self.rfile.readline().strip()) != b"":
            name, _, value = each.decode().partition(":")
            headers[name.lower()] = value.strip()
        self.server.asked.append((line.decode().split(" ")[1], headers))  # type: ignore[attr-defined]
        if headers.get("upgrade") != "websocket":
            self.wfile.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return
        accept = b64encode(sha1(headers["sec-websocket-key"].encode() + MAGIC).digest())  # noqa: S324 - RFC 6455 says so
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        hello = f"hello {headers.get('bff-subject', 'nobody')}".encode()
        self.wfile.write(bytes([TEXT, len(hello)]) + hello)
        while True:
            kind, said = self._frame()
            if kind != TEXT:
                return
            self.wfile.write(bytes([TEXT, len(said)]) + said)

    def _frame(self) -> tuple[int, bytes]:
        head = self.rfile.read(2)
        if len(head) < 2:
            return CLOSE, b""
        mask = self.rfile.read(4)
        said = self.rfile.read(head[1] & 0x7F)
        return head[0], bytes(each ^ mask[at % 4] for at, each in enumerate(said))


class Chats(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Chat)
        self.asked: list[tuple[str, dict[str, str]]] = []


class Socket:
    """A client's side of one."""

    def __init__(self, port: int, **headers: str) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), 10)
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._sock.sendall(
            f"GET /web/chat?room=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY.decode()}\r\n{''.join(f'{each}\r\n' for each in lines)}"
            "\r\n".encode()
        )
        self._file = self._sock.makefile("rb")
        self.status = int(self._file.readline().split(b" ")[1])
        while self._file.readline().strip():
            pass

    def say(self, text: bytes) -> None:
        self._sock.sendall(bytes([TEXT, 0x80 | len(text), 0, 0, 0, 0]) + text)

    def hear(self) -> bytes:
        return self._file.read(self._file.read(2)[1])

    def close(self) -> None:
        self._file.close()
        self._sock.close()
