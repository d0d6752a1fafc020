"""A proxy between the app and a service, over real sockets, that breaks what goes through it."""

import gzip
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from random import Random

from tests.ports import free_port

_BODY = b'{"from": "%s", "items": [1, 2, 3]}'
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_BOMB = gzip.compress(b" " * 64 * 1024 * 1024, 9)


class FaultProxy:
    """Listens on a port of its own; `fault` says what becomes of the requests that come.

    Without a fault it answers well, after `delay` seconds. `served` counts the requests.
    """

    def __init__(self, name: str = "a", delay: float = 0.0) -> None:
        self.fault = ""
        self.times: int | None = None
        self.delay = delay
        self.served = 0
        self._body = _BODY % name.encode()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._stopping = threading.Event()
        self.port = free_port()  # it is listened on again after `refused`
        self._listener: socket.socket | None = socket.create_server(
            ("127.0.0.1", self.port), backlog=256
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self._threads = [threading.Thread(target=self._accept, args=(self._listener,), daemon=True)]
        self._threads[0].start()

    def set(self, fault: str, times: int | None = None) -> None:
        """Have this happen from now on, on connections that are open too.

        Args:
            times: to how many requests; to all of them if not given.
        """
        if fault == "refused" and self._listener:
            listener, self._listener = self._listener, None
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            self._cut()
        elif fault != "refused" and not self._listener:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
            thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
            self._threads.append(thread)
            thread.start()
        with self._lock:
            self.fault, self.times = fault, times

    def stop(self) -> None:
        """Close everything."""
        self._stopping.set()
        self.set("refused")
        for thread in self._threads:
            thread.join(5)

    def _cut(self) -> None:
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open.add(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError), sock:
            while self._request(sock):
                if not self._play()(self, sock):
                    break
        with self._lock:
            self._open.discard(sock)

    def _play(self) -> "Play":
        """What becomes of the request that has just come."""
        with self._lock:
            self.served += 1
            fault = self.fault
            if self.times is not None:
                self.times -= 1
                if self.times <= 0:
                    self.fault, self.times = "", None
        if fault == "refused":  # it had come before the connection was cut
            return _reset_before
        return FAULTS[fault] if fault else _well

    def _request(self, sock: socket.socket) -> bool:
        """Read one request without a body."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = sock.recv(65536)
            if not data:
                return False
            head += data
        return True

    def pause(self, seconds: float) -> bool:
        """Wait; true once everything is to stop."""
        return self._stopping.wait(seconds)

    @property
    def body(self) -> bytes:
        """What it answers when nothing is wrong."""
        return self._body


Play = Callable[[FaultProxy, socket.socket], bool]  # whether the connection goes on


def _answer(proxy: FaultProxy, sock: socket.socket, length: int | None = None) -> None:
    body = proxy.body
    said = len(body) if length is None else length
    sock.sendall(_OK + b"Content-Length: %d\r\n\r\n" % said + body)


def _well(proxy: FaultProxy, sock: socket.socket) -> bool:
    if proxy.delay:
        proxy.pause(proxy.delay)
    _answer(proxy, sock)
    return True


def _reset(sock: socket.socket) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _reset_before(_proxy: FaultProxy, sock: socket.socket) -> bool:
    return _reset(sock)


def _reset_mid_body(proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(_OK + b'Content-Length: 1000\r\n\r\n{"items": [')
    proxy.pause(0.01)  # time to read it; nothing says when it was, and no test depends on it
    return _reset(sock)


def _blackhole(proxy: FaultProxy, sock: socket.socket) -> bool:
    _until_left(proxy, sock)
    return False


def _until_left(proxy: FaultProxy, sock: socket.socket) -> None:
    """Say nothing until the peer leaves."""
    sock.settimeout(0.2)
    while not proxy.pause(0):
        try:
            if not sock.recv(4096):
                return
        except TimeoutError:
            continue


def _dribble(proxy: FaultProxy, sock: socket.socket, text: bytes) -> bool:
    for at in range(len(text)):
        sock.sendall(text[at : at + 1])
        if proxy.pause(0.05):
            break
    return False


def _dribbled_headers(proxy: FaultProxy, sock: socket.socket) -> bool:
    return _dribble(proxy, sock, _OK + b"X: " + b"x" * 200)


def _dribbled_body(proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(_OK + b"Content-Length: 500\r\n\r\n")
    return _dribble(proxy, sock, b"[" + b" " * 499)


def _truncated(proxy: FaultProxy, sock: socket.socket) -> bool:
    _answer(proxy, sock, len(proxy.body) + 100)
    return False


def _garbage(_proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(Random(7).randbytes(2000))
    return False


def _garbage_body(_proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(_OK + b"Content-Length: 500\r\n\r\n" + Random(7).randbytes(500))
    return True


def _bomb(_proxy: FaultProxy, sock: socket.socket) -> bool:
    head = _OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB)
    sock.sendall(head + _BOMB)
    return True


def _endless(proxy: FaultProxy, sock: socket.socket) -> bool:
    """A body without an end, as fast as it is taken."""
    sock.sendall(_OK + b"Transfer-Encoding: chunked\r\n\r\n")
    while not proxy.pause(0):
        sock.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")
    return False


def _too_short(proxy: FaultProxy, sock: socket.socket) -> bool:
    _answer(proxy, sock, len(proxy.body) - 5)
    return True


def _two_lengths(proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(_OK + b"Content-Length: 5\r\nContent-Length: 7\r\n\r\n" + proxy.body)
    return True


def _flood(proxy: FaultProxy, sock: socket.socket) -> bool:
    while not proxy.pause(0):
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 20)
    return False


def _many_headers(proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(_OK)
    for number in range(200_000):
        sock.sendall(b"X-%d: %s\r\n" % (number, b"x" * 100))
    return bool(proxy)


def _error(_proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
    return True


def _busy(_proxy: FaultProxy, sock: socket.socket) -> bool:
    sock.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
    return True


FAULTS: dict[str, Play] = {
    "reset_before": _reset_before,
    "reset_mid_body": _reset_mid_body,
    "blackhole": _blackhole,
    "dribbled_headers": _dribbled_headers,
    "dribbled_body": _dribbled_body,
    "truncated": _truncated,
    "garbage": _garbage,
    "garbage_body": _garbage_body,
    "bomb": _bomb,
    "endless": _endless,
    "too_short": _too_short,
    "two_lengths": _two_lengths,
    "flood_of_1xx": _flood,
    "many_headers": _many_headers,
    "error": _error,
    "busy": _busy,
}
