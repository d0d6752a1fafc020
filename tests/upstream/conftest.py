"""Real TCP servers that are as rude as a test wants, and real exchanges that meet them."""

import socket
import threading
from contextlib import ExitStack, suppress
from time import monotonic

import pytest

from bff.model.exchange import Deadline, Request
from bff.model.service import Service
from bff.model.source import Place
from bff.upstream.exchange import SystemClock
from bff.upstream.pool import PoolExchange

PATIENCE = 20.0


class Wire:
    """The server's end of one connection."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""

    def head(self):
        """The next request, up to its blank line; empty where the peer has left."""
        while b"\r\n\r\n" not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                return b""
            self.buffer += data
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return head

    def send(self, *parts):
        for part in parts:
            self.sock.sendall(part)

    def reply(self, body=b"{}", status="200 OK", headers=()):
        lines = [f"HTTP/1.1 {status}".encode(), *headers, b"Content-Length: %d" % len(body)]
        self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def until_left(self):
        """Wait until the peer closes the connection."""
        while self.sock.recv(65536):
            pass


class Server:
    """Hands each connection to `serve`, on a thread of its own."""

    def __init__(self, serve):
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self):
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections.append(sock)
                thread = threading.Thread(target=self._run, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self, sock):
        with suppress(OSError), sock:
            self._serve(Wire(sock))

    def close(self):
        for sock in (self._listener, *self.connections):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(PATIENCE)


class Asking:
    """An exchange, and a mailbox for what it brings."""

    def __init__(self, exchange):
        self.exchange = exchange
        self.mailbox = SystemClock().mailbox()
        self._attempts = 0

    def start(self, target="/", *, seconds=PATIENCE, service="s", **request):
        self._attempts += 1
        asked = Request(service, request.pop("method", "GET"), target, **request)
        deadline = Deadline(monotonic() + seconds)
        return self.exchange.start(asked, deadline, self._attempts, self.mailbox)

    def next(self, within=PATIENCE):
        """The next completion; fails the test where there is none."""
        completion = self.mailbox.get(within)
        assert completion is not None, "no completion in time"
        return completion

    def ask(self, target="/", **options):
        """What one request comes to: a reply or an error."""
        self.start(target, **options)
        return self.next().result


@pytest.fixture(scope="module")
def _opened():
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def serving(_opened):
    """Start a server: `serving(lambda wire: ...)`."""

    def start(serve):
        server = Server(serve)
        _opened.callback(server.close)
        return server

    return start


@pytest.fixture(scope="module")
def asking(_opened):
    """Make an exchange with services of these addresses: `asking(s=server.url)`."""

    def make(*, size=4, transport=None, renew=60.0, **urls):
        services = {
            name: Service(name, Place("t"), url, 2.0, 8 * 1024 * 1024, renew=renew)
            for name, url in urls.items()
        }
        exchange = PoolExchange(services, size, transport)
        _opened.callback(exchange.close)
        return Asking(exchange)

    return make


@pytest.fixture
def until():
    """Poll until something is true, within bounds."""

    def wait(true, what="it"):
        end = monotonic() + PATIENCE
        tick = threading.Event()
        while not true():
            assert monotonic() < end, f"in vain: {what}"
            tick.wait(0.002)

    return wait
