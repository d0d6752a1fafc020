"""Events and WebSockets through the shipped nginx: for whom the app lets in, and no longer."""

import shutil
import socket
import subprocess
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha1
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from secrets import token_urlsafe
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from click.testing import CliRunner

from bff.cli import main
from tests.e2e.providers.rotating import RotatingProvider, listening
from tests.e2e.serving import COOKIE, Visitor, served
from tests.faults.deployed import until
from tests.faults.streaming import (
    FRAMINGS,
    Streaming,
    get,
    lines,
    raw,
    streaming,
)
from tests.ports import free_port
from tests.project.test_nginx import command, render
from tests.project.test_nginx import listening as answers
from tests.web.test_target import LEADS, LEADS_NOWHERE

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
        lines = ["GET /web/chat?room=1 HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
        lines += [f"Sec-WebSocket-Key: {KEY.decode()}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._sock.sendall("\r\n".join([*lines, "", ""]).encode())
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


CONFIG = """
frontends: {{web: {{access: session, origins: ["https://spa.example"]}}}}
session: {{secrets: ["${{SESSION_SECRET}}"], store: "sqlite:{folder}/s.db"}}
providers:
  main: {{issuer: "{issuer}", client_id: the-client, client_secret: "${{CLIENT_SECRET}}"}}
services:
  events: {{url: "{events}"}}
  chats: {{url: "{chats}"}}
"""
RELAYS = {
    "events": "relay: /events -> events:/events\nstream: events\ncsrf: origin\n",
    "chat": "relay: /chat -> chats:/socket\nstream: websocket\nforward: [X-App, X-Forwarded-For]\n",
    "files": "relay: /files/{path...} -> events:/v1/{path...}\naccess: public\n"
    "methods: [GET, PUT]\n",
}
VIEWS = {
    "told": "get: /told/{room}\nstream: events\ncsrf: origin\n"
    "params: {room: {type: integer}}\n"
    "call: {get: 'events:/events/{session.sub}/{params.room}'}\n",
}
EITHER = pytest.mark.parametrize("path", ["/web/events", "/web/told/7"])  # a relay, a view


@dataclass
class Site:
    """The front, the services behind the app, and a way to sign in."""

    front: int
    app: int
    events: Streaming
    chats: Chats
    provider: RotatingProvider

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.front}"

    def visitor(self) -> Visitor:
        self.provider.who, self.provider.first = "ada", 900
        visitor = Visitor(self.origin)
        assert visitor.go("/auth/login?return_to=/livez").status_code == 200
        return visitor

    @contextmanager
    def listening(self, session: str, path: str, **more: str) -> Iterator[HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.front, timeout=20)
        headers = {"Cookie": f"{COOKIE}={session}", "Sec-Fetch-Site": "same-origin", **more}
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        try:
            yield reply
        finally:
            reply.close()
            connection.close()

    @contextmanager
    def socket(self, **headers: str) -> Iterator[Socket]:
        found = Socket(self.front, **headers)
        try:
            yield found
        finally:
            found.close()


@contextmanager
def _serving(server: Chats) -> Iterator[Chats]:
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, front = tmp_path_factory.mktemp("streams"), free_port()
    with ExitStack() as stack:
        events = stack.enter_context(streaming())
        chats = stack.enter_context(_serving(Chats()))
        provider = stack.enter_context(listening(RotatingProvider()))
        config = CONFIG.format(
            folder=folder,
            issuer=provider.issuer,
            events=events.url,
            chats=f"http://127.0.0.1:{chats.server_address[1]}",
        )
        app = stack.enter_context(served(folder / "app", config, VIEWS, 2, relays=RELAYS))
        shutil.copytree(ROOT / "nginx", folder / "shipped/nginx")
        words = ["routes", "--config", str(folder / "app"), "--locations"]
        environ = dict.fromkeys(("CLIENT_SECRET", "SESSION_SECRET"), token_urlsafe(32))
        done = CliRunner().invoke(main, words, env=environ)
        locations = folder / "shipped/nginx/templates/app.locations.template"
        locations.write_text(done.output)
        rendered = render(
            folder / "shipped",
            folder / "nginx",
            BFF_NGINX_LISTEN=f"127.0.0.1:{front}",
            BFF_NGINX_UPSTREAM=f"127.0.0.1:{app.port}",
        )
        process = subprocess.Popen(command(rendered))  # noqa: S603
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        until("nginx listens", lambda: answers(front))
        yield Site(front, app.port, events, chats, provider)


@EITHER
def test_events_come_through_the_front_at_once(site: Site, path: str) -> None:
    site.events.asked.clear()
    with site.visitor() as visitor, site.listening(visitor.session, path) as reply:
        assert reply.status == 200
        until("a listener", lambda: site.events.listeners)
        for number in range(3):
            began = time.monotonic()
            site.events.say(f"data: {number}\n\n".encode())
            assert lines(reply, 2) == [f"data: {number}\n".encode(), b"\n"]
            assert time.monotonic() - began < 2
    until("the service is let go", lambda: not site.events.listeners)
    asked = {name.lower() for _, _, headers in site.events.asked for name in headers}
    assert not asked & {"cookie", "authorization", "sec-fetch-site"}


def test_a_view_that_is_a_stream_asks_for_who_listens_and_where_they_were(site: Site) -> None:
    site.events.asked.clear()
    last = {"Last-Event-ID": "41"}
    with site.visitor() as visitor, site.listening(visitor.session, "/web/told/7", **last) as reply:
        assert reply.status == 200
    ((_, asked, headers),) = site.events.asked
    assert asked == "/events/ada/7"
    assert {name.lower(): value for name, value in headers.items()}["last-event-id"] == "41"


@EITHER
def test_a_stream_ends_with_the_session(site: Site, path: str) -> None:
    with site.visitor() as visitor, site.listening(visitor.session, path) as reply:
        assert reply.status == 200
        until("a listener", lambda: site.events.listeners)
        assert visitor.ask("/auth/logout", "POST").status_code == 200
        assert reply.read().replace(b":\n", b"") == b""
    until("the service is let go", lambda: not site.events.listeners)


@pytest.mark.parametrize("target", [each for each in LEADS_NOWHERE if each])
def test_no_target_leaves_its_tree_through_the_front(site: Site, target: str) -> None:
    site.events.asked.clear()
    status = int(get(site.front, target).split(b" ")[1])
    asked = [path for _, path, _ in site.events.asked]
    assert 400 <= status < 500
    assert not asked


@pytest.mark.parametrize(("target", "wanted"), LEADS)
def test_a_target_arrives_through_the_front_as_it_should(
    site: Site, target: str, wanted: str
) -> None:
    site.events.asked.clear()
    get(site.front, target)
    assert [path for _, path, _ in site.events.asked] == [wanted]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_body_with_two_readings_does_not_come_through_the_front(site: Site, framing: str) -> None:
    site.events.asked.clear()
    head = f"PUT /web/files/a HTTP/1.1\r\nHost: 127.0.0.1\r\n{framing}\r\n\r\n"
    answer = raw(site.front, f"{head}0\r\n\r\nhello".encode(), more=True)
    status = answer.split(b" ")[1]  # nginx calls every other coding one that it does not know
    assert status == b"400" or (status == b"501" and "Length" not in framing), answer
    assert not site.events.asked


@EITHER
def test_without_a_session_there_is_no_stream(site: Site, path: str) -> None:
    with site.listening("nobody", path) as reply:
        assert reply.status == 401
    assert not site.events.listeners


def test_a_websocket_is_opened_for_a_page_of_ours_and_carries_both_ways(site: Site) -> None:
    with site.visitor() as visitor:
        cookie = f"theme=dark; {COOKIE}={visitor.session}"
        site.chats.asked.clear()
        with site.socket(Cookie=cookie, Origin=site.origin) as found:
            assert found.status == 101
            assert found.hear() == b"hello ada"
            for text in (b"one", b"two"):
                found.say(text)
                assert found.hear() == text
        with site.socket(Cookie=cookie, Origin="https://spa.example") as found:
            assert found.status == 101
    path, headers = site.chats.asked[0]
    assert path == "/socket?room=1"
    assert not headers.keys() & {"cookie", "authorization"}


def test_a_service_hears_of_a_websocket_what_is_declared_and_nothing_else(site: Site) -> None:
    site.chats.asked.clear()
    said = {"X-App": "3", "X-Remote-User": "root", "X-Forwarded-User": "root", "Baggage": "a=b"}
    said |= {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "Sec-WebSocket-Protocol": "v1"}
    with site.visitor() as visitor:
        cookie = f"{COOKIE}={visitor.session}"
        with site.socket(Cookie=cookie, Origin=site.origin, **said) as found:
            assert found.status == 101
    ((_, headers),) = site.chats.asked
    assert headers.keys() - {"host", "connection", "upgrade", "bff-subject"} == {
        "origin",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "x-app",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-request-id",
    }
    assert (headers["x-app"], headers["x-forwarded-for"]) == ("3", "127.0.0.1")


def test_nothing_but_a_websocket_is_upgraded_to(site: Site) -> None:
    """A service that speaks h2c would take whatever path and name a client likes from there on."""
    site.chats.asked.clear()
    connection = HTTPConnection("127.0.0.1", site.front, timeout=10)
    with site.visitor() as visitor:
        headers = {"Cookie": f"{COOKIE}={visitor.session}", "Origin": site.origin}
        headers |= {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"}
        headers |= {"HTTP2-Settings": "AAMAAABkAAQAAP__"}
        connection.request("GET", "/web/chat", body=b"hidden", headers=headers)
        assert connection.getresponse().status == 426
        connection.close()
    ((_, asked),) = site.chats.asked
    unwanted = {"upgrade", "http2-settings", "content-length", "transfer-encoding"}
    assert not asked.keys() & unwanted


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://spa.example.evil.example", 403),
        ("https://spa.example:444", 403),
        ("http://spa.example", 403),
        ("", 403),
    ],
)
def test_a_page_of_somebody_elses_opens_none(site: Site, origin: str, status: int) -> None:
    site.chats.asked.clear()
    with site.visitor() as visitor:
        headers = {"Cookie": f"{COOKIE}={visitor.session}"} | ({"Origin": origin} if origin else {})
        with site.socket(**headers) as found:
            assert found.status == status
    assert not site.chats.asked


def test_nobody_without_a_session_opens_one(site: Site) -> None:
    site.chats.asked.clear()
    headers = {"Origin": site.origin, "BFF-Subject": "ada"}
    with site.socket(**headers) as found:
        assert found.status == 401
    with site.socket(**headers, Cookie=f"{COOKIE}=nobody") as found:
        assert found.status == 401
    assert not site.chats.asked


def test_no_other_request_is_read_as_the_body_of_one_that_asks_for_a_websocket(site: Site) -> None:
    """The app is asked who may, and is told of no body: it would wait for it, and read the next."""
    said = []
    with site.visitor() as visitor:
        headers = {"Origin": site.origin, "Cookie": f"{COOKIE}={visitor.session}"}
        for _ in range(4):
            connection = HTTPConnection("127.0.0.1", site.front, timeout=10)
            connection.request("GET", "/web/chat", body=b"hidden", headers=headers)
            assert connection.getresponse().status == 426
            connection.close()
            said += [get(site.front, "/web/events").split(b" ")[1] for _ in range(4)]
    assert said == [b"401"] * 16


def test_who_asks_is_for_nginx_alone_to_find_out(site: Site) -> None:
    connection = HTTPConnection("127.0.0.1", site.front, timeout=10)
    connection.request("GET", "/auth/websocket/web/chat")
    assert connection.getresponse().status == 404
    connection.close()


def test_what_is_shipped_is_what_the_shop_declares() -> None:
    done = CliRunner().invoke(main, ["routes", "--config", str(ROOT / "config"), "--locations"])
    shipped = ROOT / "nginx/templates/app.locations.template"
    assert done.output == shipped.read_text()
