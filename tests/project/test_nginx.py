"""The front proxy as shipped, in the real nginx, before a backend that tells what it was asked."""

import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.ports import free_port

NGINX = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin")


class Teller(BaseHTTPRequestHandler):
    """Answers with what it was asked, and with headers that an app may send."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        if "held" in self.path:
            self.answer_late()
        told = {
            "line": self.requestline,
            "version": self.request_version,
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
            "body": self.rfile.read(length).decode(),
            "connection": self.client_address[1],
        }
        body = json.dumps(told).encode()
        self.send_response(404 if "missing" in self.path else 200)
        for name, value in (
            ("BFF-Calls", "user=ok"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("X-Accel-Redirect", "/secret"),
            ("Content-Length", str(len(body))),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def answer_late(self) -> None:
        """Hold the request until the test lets it go."""
        self.server.held.release()
        self.server.let_go.wait(20)

    do_POST = do_GET  # noqa: N815 - the name http.server looks for

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class Backend(ThreadingHTTPServer):
    """An app that can be held up."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.held, self.let_go = threading.Semaphore(0), threading.Event()


def render(root: Path, into: Path, **values: object) -> Path:
    """Have the shipped script write the shipped files, for a user without rights."""
    own = {
        "BFF_NGINX_STATE": into / "state",
        "BFF_NGINX_STATIC": into / "static",
        "BFF_NGINX_ACCESS_LOG": into / "access.log",
    }
    into.mkdir(parents=True)
    script = [str(root / "nginx/render"), str(into)]
    environ = os.environ | {name: str(value) for name, value in (own | values).items()}
    subprocess.run(script, env=environ, check=True)  # noqa: S603
    return into


def command(folder: Path, *words: str) -> list[str]:
    assert NGINX, "nginx is not installed: `make test` does that, or apt-get install nginx"
    ours = ["-g", "user root;"] if os.geteuid() == 0 else []
    return [NGINX, "-e", "stderr", "-p", f"{folder}", "-c", f"{folder}/nginx.conf", *ours, *words]


@dataclass
class Proxy:
    port: int
    folder: Path
    errors: Path

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> "Answer":
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body or None, headers=named)
        reply = connection.getresponse()
        answer = Answer(reply, reply.read())
        connection.close()
        return answer


@dataclass
class Answer:
    reply: HTTPResponse
    body: bytes

    @property
    def told(self) -> dict[str, list[str]]:
        """The headers that the backend saw."""
        seen: dict[str, list[str]] = {}
        for name, value in json.loads(self.body)["headers"]:
            seen.setdefault(name, []).append(value)
        return seen


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend(("127.0.0.1", 0), Teller) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def proxy(
    root: Path, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    port = free_port()
    folder = tmp_path_factory.mktemp("nginx")
    render(
        root,
        folder / "etc",
        BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
        BFF_NGINX_UPSTREAM=f"127.0.0.1:{backend.server_port}",
        BFF_NGINX_IN_FLIGHT=8,
    )
    yield from running(Proxy(port, folder / "etc", folder / "errors.log"))


def running(proxy: Proxy) -> Iterator[Proxy]:
    with (
        proxy.errors.open("w") as errors,
        subprocess.Popen(command(proxy.folder), stderr=errors) as process,  # noqa: S603
    ):
        deadline = time.monotonic() + 10
        while not listening(proxy.port):
            assert process.poll() is None, proxy.errors.read_text()
            assert time.monotonic() < deadline, "nginx does not listen"
            time.sleep(0.01)
        yield proxy
        process.terminate()
        assert process.wait(10) == 0


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_shipped_defaults_are_a_valid_configuration(root: Path, tmp_path: Path) -> None:
    folder = render(root, tmp_path / "etc", BFF_NGINX_LISTEN=f"127.0.0.1:{free_port()}")
    test = command(folder, "-t")
    done = subprocess.run(test, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def test_every_value_of_the_templates_has_a_default(root: Path) -> None:
    templates = (root / "nginx/templates").glob("*.template")
    used = {
        name
        for file in templates
        for name in re.findall(r"\$\{(?:each )?(\w+)\}", file.read_text())
    }
    set_ = re.findall(r"^(\w+)=", (root / "nginx/defaults.env").read_text(), re.MULTILINE)
    assert used == set(set_)


def test_what_a_client_says_of_itself_is_overwritten(proxy: Proxy) -> None:
    told = proxy.ask(
        "/web/home",
        Host="shop.example:8080",
        X_Forwarded_For="6.6.6.6",
        X_Forwarded_Proto="https",
        X_Forwarded_Host="evil.example",
        X_Forwarded_Port="1",
        X_Forwarded_Ssl="on",
        X_Forwarded_Prefix="/evil",
        X_Real_IP="6.6.6.6",
        Forwarded="for=6.6.6.6",
        X_Request_Id="evil",
    ).told
    assert told["x-forwarded-for"] == ["127.0.0.1"]
    assert told["x-real-ip"] == ["127.0.0.1"]
    assert told["x-forwarded-proto"] == ["http"]
    assert told["x-forwarded-host"] == told["host"] == ["shop.example:8080"]
    assert told["x-forwarded-port"] == [str(proxy.port)]
    assert re.fullmatch("[0-9a-f]{32}", "".join(told["x-request-id"]))
    assert not told.keys() & {"forwarded", "x-forwarded-ssl", "x-forwarded-prefix"}


def test_hop_by_hop_headers_end_here(proxy: Proxy) -> None:
    hop = {"Keep_Alive": "timeout=9", "TE": "trailers", "Upgrade": "h2c", "Trailer": "x"}
    told = proxy.ask(
        "/", Proxy_Connection="x", Proxy_Authorization="x", Proxy="http://evil", **hop
    ).told
    ended = {"keep-alive", "te", "upgrade", "trailer", "connection"}
    ended |= {"proxy-connection", "proxy-authorization", "proxy"}
    assert not told.keys() & ended


def test_everything_else_goes_through_as_it_is(proxy: Proxy) -> None:
    path = "/web//orders/a%2Fb%20c/../d?tag=1&tag=2&q=%7B%7D"
    answer = proxy.ask(path, Cookie="s=1", Authorization="Bearer t", X_Unknown="kept")
    assert json.loads(answer.body)["line"] == f"GET {path} HTTP/1.1"
    assert answer.told["cookie"] == ["s=1"]
    assert answer.told["authorization"] == ["Bearer t"]
    assert answer.told["x-unknown"] == ["kept"]
    assert answer.reply.getheader("BFF-Calls") == "user=ok"
    assert answer.reply.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert json.loads(proxy.ask("/", "POST", b'{"a": 1}').body)["body"] == '{"a": 1}'


def test_an_answer_of_the_app_is_never_replaced(proxy: Proxy) -> None:
    answer = proxy.ask("/missing")
    assert answer.reply.status == 404
    assert json.loads(answer.body)["line"] == "GET /missing HTTP/1.1"


def test_connections_to_the_app_are_kept(proxy: Proxy) -> None:
    ports = {json.loads(proxy.ask("/").body)["connection"] for _ in range(8)}
    # Each of nginx's processes keeps its own, and no request needs a second one.
    assert len(ports) <= (os.cpu_count() or 1)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_health_is_passed_on_and_not_logged(proxy: Proxy, path: str) -> None:
    assert json.loads(proxy.ask(path).body)["line"] == f"GET {path} HTTP/1.1"
    assert path not in (proxy.folder / "access.log").read_text()


def test_too_large_a_body_is_refused_as_a_problem(proxy: Proxy) -> None:
    answer = proxy.ask("/", "POST", b"x" * 1_100_000)
    problem = json.loads(answer.body)
    assert answer.reply.status == problem["status"] == 413
    assert answer.reply.getheader("Content-Type") == "application/problem+json"
    assert problem["title"] == "Content Too Large"


def test_an_app_that_is_away_is_a_problem_and_no_log_has_a_query(
    root: Path, tmp_path: Path
) -> None:
    port = free_port()
    listen, upstream = f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"
    render(root, tmp_path / "etc", BFF_NGINX_LISTEN=listen, BFF_NGINX_UPSTREAM=upstream)
    alone = Proxy(port, tmp_path / "etc", tmp_path / "errors.log")
    for proxy in running(alone):
        answer = proxy.ask("/web/search?q=secret", Referer="http://shop.example/?q=secret")
    problem = json.loads(answer.body)
    assert answer.reply.status == problem["status"] == 502
    assert problem["id"] == answer.reply.getheader("X-Request-Id")
    assert "secret" not in alone.errors.read_text()
    logged = json.loads((alone.folder / "access.log").read_text())
    assert (logged["path"], logged["status"], logged["id"]) == ("/web/search", 502, problem["id"])


def test_more_than_the_app_can_do_is_turned_away_at_once(proxy: Proxy, backend: Backend) -> None:
    answers: list[int] = []
    holding = [
        threading.Thread(target=lambda: answers.append(proxy.ask("/held").reply.status))
        for _ in range(8)
    ]
    for thread in holding:
        thread.start()
    assert all(backend.held.acquire(timeout=10) for _ in holding)
    began = time.monotonic()
    refused = [proxy.ask("/more") for _ in range(5)]
    assert time.monotonic() - began < 1
    backend.let_go.set()
    for thread in holding:
        thread.join(10)
    assert answers == [200] * 8
    for answer in refused:
        problem = json.loads(answer.body)
        assert answer.reply.status == problem["status"] == 503
        assert answer.reply.getheader("Retry-After") == "1"
        assert answer.reply.getheader("Content-Type") == "application/problem+json"
        assert problem["id"] == answer.reply.getheader("X-Request-Id")
    assert proxy.ask("/again").reply.status == 200


def test_one_address_that_asks_too_often_is_told_when_to_come_again(
    root: Path, backend: Backend, tmp_path: Path
) -> None:
    port = free_port()
    folder = render(
        root,
        tmp_path / "etc",
        BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
        BFF_NGINX_UPSTREAM=f"127.0.0.1:{backend.server_port}",
        BFF_NGINX_RATE="1r/s",
        BFF_NGINX_BURST=2,
    )
    for proxy in running(Proxy(port, folder, tmp_path / "errors.log")):
        answers = [proxy.ask("/") for _ in range(6)]
    statuses = [answer.reply.status for answer in answers]
    assert statuses[:3] == [200, 200, 200]
    assert statuses[-1] == 429
    assert answers[-1].reply.getheader("Retry-After") == "1"


def test_a_slow_client_holds_no_thread_of_the_app(proxy: Proxy, backend: Backend) -> None:
    backend.held = threading.Semaphore(0)
    backend.let_go.set()
    slow = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(20)]
    for sock in slow:
        sock.sendall(b"POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
    assert proxy.ask("/quick").reply.status == 200, "all of them would fill the app twice over"
    assert not backend.held.acquire(blocking=False), "none has come through"
    for sock in slow:
        sock.close()
