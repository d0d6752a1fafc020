"""Real TCP servers that are as rude as a test wants, and real exchanges that meet them.

A test of `asking` runs three times: over the pool of threads, over sockets that the asking thread
reads while it waits, and over sockets that the event loop reads.
"""

import socket
import threading
from collections import deque
from contextlib import ExitStack, suppress
from time import monotonic

import pytest

from bff.model.exchange import Deadline, Request
from bff.model.service import Service
from bff.model.source import Place
from bff.upstream.exchange import SystemClock
from bff.upstream.pool import PoolExchange
from bff.upstream.sockets.exchange import SocketExchange
from bff.upstream.sockets.polled_mailbox import PollingClock

PATIENCE = 20.0
EXCHANGES = ("pool", "sockets", "loop")


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

    def __init__(self, exchange, mailbox):
        self.exchange, self.mailbox = exchange, mailbox
        self._attempts = 0
        self._come = deque()

    def start(self, target="/", *, seconds=PATIENCE, service="s", **request):
        self._attempts += 1
        asked = Request(service, request.pop("method", "GET"), target, **request)
        deadline = Deadline(monotonic() + seconds)
        return self.exchange.start(asked, deadline, self._attempts, self.mailbox)

    def next(self, within=PATIENCE):
        """The next completion; fails the test where there is none."""
        completion = self.poll(within)
        assert completion is not None, "no completion in time"
        return completion

    def poll(self, within):
        """The next completion; None where there is none in time."""
        return self._come.popleft() if self._come else self.mailbox.get(within)

    def turn(self):
        """Let the thread read for a moment, as a conductor's would."""
        completion = self.mailbox.get(0.002)
        if completion is not None:
            self._come.append(completion)

    def ask(self, target="/", **options):
        """What one request comes to: a reply or an error."""
        self.start(target, **options)
        return self.next().result

    @property
    def working(self):
        """Requests that are in flight or wait to be."""
        usage = self.exchange.usage()
        return max(0, usage.busy) + usage.waiting

    def is_blocked(self, handle):
        """Whether an attempt waits for its name, its connection, or what it carries."""
        if isinstance(self.exchange, PoolExchange):
            return handle._wake is not None
        return handle._dial is not None or handle._transfer is not None

    def idle(self, url, service="s"):
        """The idle connections to an address."""
        if isinstance(self.exchange, PoolExchange):
            return self.exchange._transports[service, url]._pool.connections
        return self.exchange._addresses[service, url].idle._connections


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
def _made():
    return []


def _services(urls, renew):
    return {
        name: Service(name, Place("t"), url, 2.0, 8 * 1024 * 1024, renew=renew)
        for name, url in urls.items()
    }


@pytest.fixture(scope="module", params=EXCHANGES)
def asking(_opened, _made, request):
    """Make an exchange with services of these addresses: `asking(s=server.url)`."""

    def make(*, size=4, renew=60.0, **urls):
        memory, traced = urls.pop("memory", None), urls.pop("traced", False)
        kind = PoolExchange if request.param == "pool" else SocketExchange
        exchange = kind(_services(urls, renew), size, memory=memory, traced=traced)
        _opened.callback(exchange.close)
        clock = PollingClock() if request.param == "sockets" else SystemClock()
        _made.append(Asking(exchange, clock.mailbox()))
        return _made[-1]

    return make


@pytest.fixture(scope="module")
def asking_over(_opened):
    """Make an exchange over a transport: always the pool's."""

    def make(transport, *, size=4, **urls):
        exchange = PoolExchange(_services(urls, 60.0), size, transport)
        _opened.callback(exchange.close)
        return Asking(exchange, SystemClock().mailbox())

    return make


@pytest.fixture
def until(_made):
    """Poll until something is true, within bounds; what has been made may read meanwhile."""

    def wait(true, what="it"):
        end = monotonic() + PATIENCE
        tick = threading.Event()
        while not true():
            assert monotonic() < end, f"in vain: {what}"
            if _made:
                _made[-1].turn()
            else:
                tick.wait(0.002)

    return wait
