"""What the shipped nginx keeps, and what it never does, before a backend that counts."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from bff.cli import main
from tests.ports import free_port
from tests.project.test_nginx import Proxy, render, running


class Backend(BaseHTTPRequestHandler):
    """Answers as the app would: what everybody may have, and what nobody else may."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[Counter[str]] = Counter()
    status = 200
    now = most = 0
    lock = threading.Lock()

    def do_GET(self) -> None:
        with self.lock:
            self.asked[self.path] += 1
            number = self.asked[self.path]
            Backend.now += 1
            Backend.most = max(Backend.most, Backend.now)
        time.sleep(0.05)  # as slow as services are: so many ask at once
        with self.lock:
            Backend.now -= 1
        query = self.path.partition("?")[2]
        said = {
            "private": "private, max-age=60",
            "none": "no-store",
            "again": "public, no-cache",
            "short": "public, max-age=1, stale-while-revalidate=60",
            "shared": "public, max-age=0, s-maxage=60",
        }.get(query.split("&")[0], "public, max-age=60")
        body = f"{self.headers.get('Cookie')} {self.headers.get('Accept-Language')} {number}"
        self.send_response(self.status)
        self.send_header("Cache-Control", said)
        self.send_header("ETag", '"tag"')
        self.send_header("Vary", "Accept-Language")
        self.send_header("X-Request-Id", self.headers.get("X-Request-Id", ""))
        self.send_header("Cache-Status", "bff; hit; ttl=60")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(BrokenPipeError):  # who asked has gone: that is what some tests are about
            self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def edge(root: Path, tmp_path: Path) -> Iterator[Proxy]:
    Backend.asked, Backend.status, Backend.most = Counter(), 200, 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        port = free_port()
        render(
            root,
            tmp_path / "etc",
            BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
            BFF_NGINX_UPSTREAM=f"127.0.0.1:{server.server_port}",
        )
        yield from running(Proxy(port, tmp_path / "etc", tmp_path / "errors.log"))
        server.shutdown()
        thread.join()


def body(proxy: Proxy, path: str, **headers: str) -> str:
    return proxy.ask(path, **headers).body.decode()


def test_what_everybody_may_have_is_kept_and_told_apart_by_what_it_varies_by(edge: Proxy) -> None:
    assert body(edge, "/web/search?q=lamp", Accept_Language="en") == "None en 1"
    again = edge.ask("/web/search?q=lamp", Accept_Language="en")
    assert again.body == b"None en 1"
    assert again.reply.headers.get_all("Cache-Status") == ["bff; hit; ttl=60", "nginx; hit"]
    assert body(edge, "/web/search?q=lamp", Accept_Language="de") == "None de 2"
    assert body(edge, "/web/search?q=rug", Accept_Language="en") == "None en 1"
    assert body(edge, "/mobile/search?q=lamp", Accept_Language="en") == "None en 1"
    assert body(edge, "/web/search?shared") == body(edge, "/web/search?shared")


def test_a_kept_answer_has_the_id_of_this_request(edge: Proxy) -> None:
    ids = {edge.ask("/web/search?q=1").reply.getheader("X-Request-Id") for _ in range(4)}
    assert len(ids) == 4


def test_who_has_it_already_is_told_so_here(edge: Proxy) -> None:
    edge.ask("/web/search?q=1")
    assert edge.ask("/web/search?q=1", If_None_Match='"tag"').reply.status == 304
    assert Backend.asked["/web/search?q=1"] == 1


@pytest.mark.parametrize(
    "path", ["/web/home", "/web/orders", "/web/search/x", "/web/searching", "/api/search"]
)
def test_a_persons_answers_are_never_kept(edge: Proxy, path: str) -> None:
    """Not even where the app says by mistake that everybody may have them."""
    found = [body(edge, path, Cookie=who) for who in ("ada", "bob", "ada")]
    assert found == ["ada None 1", "bob None 2", "ada None 3"]


@pytest.mark.parametrize("query", ["private", "none", "again"])
def test_what_the_app_keeps_back_is_not_kept_here_either(edge: Proxy, query: str) -> None:
    found = [body(edge, f"/web/search?{query}", Cookie=who) for who in ("ada", "bob")]
    assert found == ["ada None 1", "bob None 2"]


def test_a_hundred_who_want_the_same_are_one_request(edge: Proxy) -> None:
    with ThreadPoolExecutor(50) as clients:
        found = set(clients.map(lambda _: body(edge, "/web/search?q=crowd"), range(100)))
    assert found == {"None None 1"}


def test_nobody_waits_in_line_for_what_is_somebody_elses(edge: Proxy) -> None:
    with ThreadPoolExecutor(20) as clients:
        found = set(clients.map(lambda n: body(edge, "/web/home", Cookie=str(n)), range(20)))
    assert len(found) == 20
    assert Backend.most > 4, "they were asked for at once"


def test_what_is_kept_is_answered_while_the_app_is_not_well(edge: Proxy) -> None:
    assert body(edge, "/web/search?short") == "None None 1"
    Backend.status = 503
    end = time.monotonic() + 10
    while Backend.asked["/web/search?short"] < 3:  # its second is over, and nginx asks in vain
        assert time.monotonic() < end, "the app was not asked again"
        answer = edge.ask("/web/search?short")
        assert (answer.reply.status, answer.body) == (200, b"None None 1")
        time.sleep(0.02)


def test_the_shipped_map_is_what_the_command_writes(root: Path) -> None:
    from click.testing import CliRunner

    done = CliRunner().invoke(main, ["routes", "--edge", "--config", str(root / "config")])
    assert done.stdout == (root / "nginx/templates/edge.conf.template").read_text()
