"""What nginx itself answers: problem details (RFC 9457), which declared origins may read."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.edge import http2
from tests.e2e.edge.refusing import header, sent
from tests.faults.deployed import until
from tests.ports import free_port
from tests.project.test_nginx import command, listening, render
from tests.project.test_nginx_tls import certificate

OURS = "https://shop.example"  # of the shipped edge.conf, for `web` and `auth`
HOST = "Host: shop.example\r\n"
MB = 1024 * 1024


@dataclass(frozen=True)
class Nginx:
    """Its ports, before an app that is away."""

    plain: int
    secure: int
    redirect: int
    trust: Path
    app: socket.socket  # held, and answering nothing


@pytest.fixture(scope="module")
def nginx(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    folder = tmp_path_factory.mktemp("problems")
    cert, key = certificate(folder / "tls")
    with ExitStack() as stack:
        app = stack.enter_context(socket.socket())
        app.bind(("127.0.0.1", 0))  # held, but not listening: connections are refused
        found = Nginx(free_port(), free_port(), free_port(), cert, app)
        tls = {
            "BFF_NGINX_TLS": "on",
            "BFF_NGINX_CERTIFICATE": cert,
            "BFF_NGINX_KEY": key,
            "BFF_NGINX_REDIRECT": f"127.0.0.1:{found.redirect}",
        }
        for name, port, more in (("plain", found.plain, {}), ("secure", found.secure, tls)):
            rendered = render(
                root,
                folder / name,
                BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
                BFF_NGINX_UPSTREAM=f"127.0.0.1:{app.getsockname()[1]}",
                BFF_NGINX_WORKERS=1,
                BFF_NGINX_RATE="100r/s",
                BFF_NGINX_BURST=50,
                **more,
            )
            process = subprocess.Popen(command(rendered))  # noqa: S603
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            until(name, lambda port=port: listening(port))
        yield found


def problem(told: bytes, status: int) -> bytes:
    """It is a problem of this status; its head."""
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), told
    assert header(head, "content-type") == "application/problem+json"
    assert header(head, "cache-control") == "no-store"
    content = json.loads(body)
    assert content == {
        "title": content["title"],
        "status": status,
        "id": header(head, "x-request-id"),
    }
    assert content["title"] not in {"", "Error"}
    return head


def chunks(size: int) -> str:
    return f"{size:x}\r\n{'x' * size}\r\n0\r\n\r\n"


# Status, request; `ORIGIN` is the line of one.
READ = {  # its Origin was read, so it is told apart
    "a broken header": (400, f"GET /web/x HTTP/1.1\r\n{HOST}ORIGIN: bad\r\n\r\n"),
    "no host": (400, "GET /web/x HTTP/1.1\r\nORIGIN\r\n"),
    "a host that is none": (400, "GET /web/x HTTP/1.1\r\nORIGINHost: a b\r\n\r\n"),
    "two hosts": (400, f"GET /web/x HTTP/1.1\r\nORIGIN{HOST}{HOST}\r\n"),
    "another host in the target": (400, f"GET http://b/ HTTP/1.1\r\n{HOST}ORIGIN\r\n"),
    "two lengths": (
        400,
        f"POST /web/x HTTP/1.1\r\n{HOST}ORIGINContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ),
    "a bad chunk": (
        400,
        f"POST /web/x HTTP/1.1\r\n{HOST}ORIGINTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ),
    "a method": (405, f"TRACE /web/x HTTP/1.1\r\n{HOST}ORIGIN\r\n"),
    "a large body": (413, f"POST /web/x HTTP/1.1\r\n{HOST}ORIGINContent-Length: 9000000\r\n\r\n"),
    "large chunks": (
        413,
        f"POST /web/x HTTP/1.1\r\n{HOST}ORIGINTransfer-Encoding: chunked\r\n\r\n{chunks(2 * MB)}",
    ),
    "a long target": (414, f"GET /web/{'a' * 9000} HTTP/1.1\r\n{HOST}ORIGIN\r\n"),
    "a long query": (414, f"GET /auth/x?{'a' * 15_000} HTTP/1.1\r\n{HOST}ORIGIN\r\n"),
    "a large header": (431, f"GET /web/x HTTP/1.1\r\n{HOST}ORIGINA: {'b' * 20_000}\r\n\r\n"),
    "large headers": (
        431,
        f"GET /web/x HTTP/1.1\r\n{HOST}ORIGIN" + f"A: {'b' * 9000}\r\n" * 9 + "\r\n",
    ),
    "a coding": (501, f"POST /web/x HTTP/1.1\r\n{HOST}ORIGINTransfer-Encoding: gzip\r\n\r\n"),
    "an app that is away": (502, f"GET /web/x HTTP/1.1\r\n{HOST}ORIGIN\r\n"),
    "a write to an app that is away": (
        502,
        f"POST /auth/x HTTP/1.1\r\n{HOST}ORIGINContent-Length: 0\r\n\r\n",
    ),
}
UNREAD = {  # whose it is cannot be known
    "no request line": (400, "nonsense\r\n\r\n"),
    "a target longer than any buffer": (414, f"GET /web/{'a' * 40_000} HTTP/1.1\r\n\r\n"),
    "a version": (505, f"GET /web/x HTTP/3.0\r\n{HOST}\r\n"),
    "a file by POST": (405, f"POST /index.html HTTP/1.1\r\n{HOST}Content-Length: 0\r\n\r\n"),
    "its own page": (404, f"GET /.problem HTTP/1.1\r\n{HOST}\r\n"),
}


@pytest.fixture(scope="module", autouse=True)
def _a_file(nginx: Nginx) -> None:
    static = nginx.trust.parent.parent / "plain/static"
    static.mkdir(exist_ok=True)
    (static / "index.html").write_text("<p>")


@pytest.mark.parametrize("name", READ)
def test_a_page_of_a_declared_origin_can_read_what_went_wrong(nginx: Nginx, name: str) -> None:
    status, raw = READ[name]
    told = sent(nginx.plain, raw.replace("ORIGIN", f"Origin: {OURS}\r\n").encode())
    head = problem(told, status)
    if name != "another host in the target":  # its path is not known to be one of a frontend's
        assert header(head, "access-control-allow-origin") == OURS
        assert header(head, "access-control-allow-credentials") == "true"
        exposed = header(head, "access-control-expose-headers").lower().split(", ")
        assert {"retry-after", "x-request-id"} <= set(exposed)
        assert header(head, "vary") == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://SHOP.example",
        "https://shop.example.evil.example",
        "https://shop-example",
        "https://shopxexample",
        "http://shop.example",
        "https://shop.example:443",
        f"{OURS}, https://evil.example",
        f"{OURS} ",
        "null",
        "*",
        "",
    ],
)
@pytest.mark.parametrize("name", ["a large body", "an app that is away", "a broken header"])
def test_a_page_of_another_origin_cannot(nginx: Nginx, name: str, origin: str) -> None:
    status, raw = READ[name]
    raw = raw.replace("ORIGIN", f"Origin: {origin}\r\n")
    head = problem(sent(nginx.plain, raw.encode()), status)
    if origin.strip() != OURS:  # blanks around a value are none of it (RFC 9110, section 5.5)
        assert b"access-control-" not in head.lower()
    assert header(head, "vary") == "Origin"


@pytest.mark.parametrize("path", ["/mobile/x", "/webx/x", "/x/web/", "/"])
def test_an_origin_is_one_of_a_frontend(nginx: Nginx, path: str) -> None:
    raw = f"POST {path} HTTP/1.1\r\n{HOST}Origin: {OURS}\r\nContent-Length: 9000000\r\n\r\n"
    head = problem(sent(nginx.plain, raw.encode()), 413)
    assert b"access-control-" not in head.lower()
    assert not header(head, "vary")


@pytest.mark.parametrize("name", UNREAD)
def test_what_cannot_be_read_is_answered_as_a_problem_too(nginx: Nginx, name: str) -> None:
    status, raw = UNREAD[name]
    problem(sent(nginx.plain, raw.encode()), status)


def test_plain_http_where_https_is_spoken_is_a_problem(nginx: Nginx) -> None:
    problem(sent(nginx.secure, f"GET /web/x HTTP/1.1\r\n{HOST}\r\n".encode()), 400)


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (400, "GET / HTTP/1.0\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\n: bad\r\n\r\n"),
        (414, f"GET /{'a' * 40_000} HTTP/1.1\r\n\r\n"),
        (431, f"GET / HTTP/1.1\r\n{HOST}A: {'b' * 20_000}\r\n\r\n"),
        (501, f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: gzip\r\n\r\n"),
        (505, f"GET / HTTP/3.0\r\n{HOST}\r\n"),
    ],
)
def test_what_redirects_to_https_refuses_with_problems(nginx: Nginx, status: int, raw: str) -> None:
    problem(sent(nginx.redirect, raw.encode()), status)


HTTP2 = {
    "a large body": (413, "POST", "/web/x", {"content-length": str(5 * MB)}, 5 * MB),
    "a large body without a length": (413, "POST", "/web/x", {}, 2 * MB),
    "a long target": (414, "GET", f"/web/{'a' * 9000}", {}, 0),
    "a method": (405, "TRACE", "/web/x", {}, 0),
    "an app that is away": (502, "GET", "/web/x", {}, 0),
}


@pytest.mark.parametrize("name", HTTP2)
def test_in_http_2_it_is_a_problem_too(nginx: Nginx, name: str) -> None:
    status, method, path, more, size = HTTP2[name]
    head = [(":method", method), (":scheme", "https"), (":path", path)]
    head += [(":authority", "shop.example"), ("origin", OURS), *more.items()]
    said = http2.ask(nginx.secure, str(nginx.trust), head, b"x" * size)
    assert said.status == status, said
    assert json.loads(said.body)["status"] == status


def test_one_who_asks_too_often_can_read_when_to_come_again(nginx: Nginx) -> None:
    raw = f"GET /web/x HTTP/1.1\r\n{HOST}Origin: {OURS}\r\n\r\n".encode()
    refused: list[bytes] = []

    def ask() -> None:
        with suppress(OSError):
            while not refused:
                told = sent(nginx.plain, raw)
                if b" 429 " in told[:20]:
                    refused.append(told)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    head = problem(refused[0], 429)
    assert header(head, "access-control-allow-origin") == OURS
    assert header(head, "retry-after") == "1"
    assert "Retry-After" in header(head, "access-control-expose-headers")
