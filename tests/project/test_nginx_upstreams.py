"""Several apps behind the shipped nginx: what one does not answer another does, if that is safe."""

import json
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.project.test_nginx import Proxy, render, running


class Visit(socketserver.StreamRequestHandler):
    """Reads requests of a connection, and answers as long as its app does."""

    server: "App"

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (header := self.rfile.readline()).strip():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.split(b":")[1])
            self.rfile.read(length)
            with self.server.lock:
                self.server.asked[line.decode().split()[0]] += 1
            if self.server.breaks:
                return
            body = self.server.name.encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


class App(socketserver.ThreadingTCPServer):
    """An app that may break off when it has read a request."""

    daemon_threads = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Visit)
        self.name, self.breaks = name, False
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def apps() -> Iterator[tuple[App, App]]:
    with ExitStack() as stack:
        made = (App("one"), App("two"))
        for app in made:
            stack.enter_context(app)
            thread = threading.Thread(target=app.serve_forever, args=(0.05,))
            thread.start()
            stack.callback(thread.join)
            stack.callback(app.shutdown)
        yield made


def front(root: Path, folder: Path, *addresses: str) -> Iterator[Proxy]:
    port = free_port()
    render(
        root,
        folder / "etc",
        BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
        BFF_NGINX_UPSTREAM=" ".join(addresses),
    )
    yield from running(Proxy(port, folder / "etc", folder / "errors.log"))


def test_all_of_them_are_asked(root: Path, tmp_path: Path, apps: tuple[App, App]) -> None:
    for proxy in front(root, tmp_path, *(app.address for app in apps)):
        found = Counter(proxy.ask("/web/a").body for _ in range(40))
    assert set(found) == {b"one", b"two"}
    assert min(found.values()) >= 10


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_one_that_is_away_is_not_missed(
    root: Path, tmp_path: Path, apps: tuple[App, App], method: str
) -> None:
    with socket.socket() as held:  # bound, so that nobody else gets it, and not listening
        held.bind(("127.0.0.1", 0))
        away = f"127.0.0.1:{held.getsockname()[1]}"
        for proxy in front(root, tmp_path, away, apps[0].address):
            answers = [proxy.ask("/web/a", method, b"{}" * (method == "POST")) for _ in range(20)]
    assert {answer.reply.status for answer in answers} == {200}


def test_what_is_safe_is_asked_of_another_when_one_breaks_off_and_a_write_is_not(
    root: Path, tmp_path: Path, apps: tuple[App, App]
) -> None:
    broken, other = apps
    broken.breaks = True
    for proxy in front(root, tmp_path, broken.address, other.address):
        reads = [proxy.ask("/web/a") for _ in range(10)]
    assert {(answer.reply.status, answer.body) for answer in reads} == {(200, b"two")}
    assert broken.asked["GET"], "it was tried"

    for proxy in front(root, tmp_path / "again", broken.address, other.address):
        writes = [proxy.ask("/web/a", "POST", b"{}") for _ in range(10)]
    statuses = Counter(answer.reply.status for answer in writes)
    assert set(statuses) == {200, 502}
    assert statuses[502] == broken.asked["POST"], "each of these was sent once, and no more"
    assert statuses[200] == other.asked["POST"]
    assert json.loads(next(a.body for a in writes if a.reply.status == 502))["status"] == 502


def test_one_that_fails_is_left_alone_for_a_while(
    root: Path, tmp_path: Path, apps: tuple[App, App]
) -> None:
    broken, other = apps
    broken.breaks = True
    for proxy in front(root, tmp_path, broken.address, other.address):
        began = time.monotonic()
        assert {proxy.ask("/web/a").reply.status for _ in range(60)} == {200}
        rests = (time.monotonic() - began) / 5
    assert broken.asked["GET"] <= 3 * (1 + rests), "three failures are enough for five seconds"
    assert other.asked["GET"] == 60


def test_an_only_app_is_asked_however_often_it_fails(
    root: Path, tmp_path: Path, apps: tuple[App, App]
) -> None:
    only = apps[0]
    only.breaks = True
    for proxy in front(root, tmp_path, only.address):
        assert {proxy.ask("/web/a").reply.status for _ in range(8)} == {502}
        only.breaks = False
        assert proxy.ask("/web/a").reply.status == 200
