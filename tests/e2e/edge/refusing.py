"""Two apps behind the shipped nginx, and requests that they answer without reading the body."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.deployed import ROOT, ask, until
from tests.ports import free_port
from tests.project.test_nginx import command, listening, render
from tests.project.test_nginx_tls import certificate

ORIGIN = "https://app.example"
CONFIG = f"""
version: 1
hosts: ["127.0.0.1"]
limits: {{sign_in: 1/hour}}
frontends:
  web: {{access: session, origins: ["{ORIGIN}"]}}
  open: {{access: none, batch: 4, origins: ["{ORIGIN}"]}}
providers:
  p: {{issuer: "http://127.0.0.1:9", client_id: x, client_secret: y}}
services:
  s: {{url: "http://127.0.0.1:9"}}
"""
_BODY = "body: {type: object}"
FILES = {
    "views/page.yaml": "get: /page\nparams: {n: {type: integer, default: 1}}\nfrontends: [open]\n"
    "call: {get: s:/x, optional: true}\n",
    "views/save.yaml": f"post: /save\nfrontends: [open]\nmax_body: 1KB\n{_BODY}\n"
    "call: {post: s:/x}\n",
    "views/seen.yaml": "get: /seen\nfrontends: [web]\ncall: {get: s:/x}\n",
    "views/mine.yaml": f"post: /mine\nfrontends: [web]\n{_BODY}\ncall: {{post: s:/x}}\n",
    "relays/files.yaml": "relay: '/files/{rest...} -> s:/{rest...}'\nfrontends: [open]\n"
    "methods: [GET, POST]\nmax_body: 1KB\n",
    "relays/big.yaml": "relay: '/big/{rest...} -> s:/{rest...}'\nfrontends: [open]\n"
    "methods: [POST]\n",
    "relays/own.yaml": "relay: '/own/{rest...} -> s:/{rest...}'\nfrontends: [web]\n"
    "methods: [POST]\n",
}


class Refused(NamedTuple):
    """A request, and the status that it is answered with whatever its body."""

    status: int
    method: str
    path: str
    headers: dict[str, str] = {}  # noqa: RUF012 - nothing changes it


_JSON = {"Content-Type": "application/json"}
_COOKIE = {"Cookie": "dev-bff=expired; __Host-bff=expired", "X-CSRF": "1"}
REFUSED = {
    "a bad parameter": Refused(400, "GET", "/open/page?n=x"),
    "a bad target of a relay": Refused(400, "POST", "/open/files/%252e%252e"),
    "a service that is away": Refused(502, "POST", "/open/big/x"),
    "nobody is signed in": Refused(401, "POST", "/web/mine", _JSON),
    "an expired session": Refused(401, "POST", "/web/mine", _JSON | _COOKIE),
    "a relay of people": Refused(401, "POST", "/web/own/x", _COOKIE),
    "a form from elsewhere": Refused(
        403,
        "POST",
        "/auth/logout",
        {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"},
    ),
    "no such view": Refused(404, "POST", "/open/nothing", _JSON),
    "no such route": Refused(404, "POST", "/nothing/at/all"),
    "no such endpoint": Refused(404, "POST", "/auth/nothing"),
    "sign-in by POST": Refused(405, "POST", "/auth/login"),
    "a view by PUT": Refused(405, "PUT", "/open/page"),
    "a relay by DELETE": Refused(405, "DELETE", "/open/files/x"),
    "text for JSON": Refused(415, "POST", "/open/save", {"Content-Type": "text/plain"}),
    "text for a batch": Refused(415, "POST", "/open/_batch", {"Content-Type": "text/plain"}),
    "too many sign-ins": Refused(429, "GET", "/auth/login"),
    "a sign-out of nobody": Refused(200, "POST", "/auth/logout", {"X-CSRF": "1"}),
    "options": Refused(204, "OPTIONS", "/open/page"),
    "too many headers": Refused(
        431, "POST", "/open/save", _JSON | {f"X-{number}": "1" for number in range(120)}
    ),
    "control characters": Refused(400, "POST", "/open/save", _JSON | {"X-A": "\x01"}),
}
# Refused once so much of it has been read that it is known to be too large.
TOO_LARGE = Refused(413, "POST", "/open/save", _JSON)


@dataclass(frozen=True)
class Refusing:
    """The ports of nginx (plain, with TLS), and of the apps."""

    plain: int
    secure: int
    apps: tuple[int, ...]
    trust: Path
    log: Path
    folder: Path

    def tries(self) -> list[tuple[str, int, str]]:
        """Path, status, and the statuses of all apps that were asked, of each logged request."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [(line["path"], line["status"], line["upstream_status"]) for line in lines]


def sent(port: int, raw: bytes, patience: float = 10.0) -> bytes:
    """Send all, read until the answer is whole or the connection ends; what came."""
    told = b""
    with (
        socket.create_connection(("127.0.0.1", port), patience) as line,
        suppress(ConnectionError, TimeoutError),
    ):
        with suppress(ConnectionError):  # what has been answered can be read all the same
            line.sendall(raw)
        while not whole(told) and (some := line.recv(65536)):
            told += some
    return told


def whole(told: bytes) -> bool:
    """Whether it is a whole final answer, which has a length."""
    head, blank, body = told.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100 "):
        return whole(body)
    length = header(head, "content-length")
    return bool(blank) and (len(body) >= int(length or 0) or b" 204 " in head[:20])


def header(head: bytes, name: str) -> str:
    for line in head.decode("latin-1").split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return ""


def request(row: Refused, size: int, *, chunked: bool = False) -> bytes:
    """In HTTP/1.1, with a body of `size` bytes."""
    body = b"x" * size
    head = [f"{row.method} {row.path} HTTP/1.1", "Host: 127.0.0.1"]
    head += [f"{name}: {value}" for name, value in row.headers.items()]
    head += ["Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"]
    if chunked:
        pieces = [body[at : at + 9000] for at in range(0, size, 9000)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
    return "\r\n".join([*head, "", ""]).encode() + body


@contextmanager
def refusing(folder: Path, apps: int = 2, **nginx: Any) -> Iterator[Refusing]:
    config = folder / "config"
    for name, text in {"bff.yaml": CONFIG, **FILES}.items():
        path = config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    cert, key = certificate(folder / "tls")
    with ExitStack() as stack:
        ports = tuple(stack.enter_context(_app(folder, config, number)) for number in range(apps))
        plain, secure = free_port(), free_port()
        found = Refusing(plain, secure, ports, cert, folder / "plain/access.log", folder)
        tls = {
            "BFF_NGINX_TLS": "on",
            "BFF_NGINX_CERTIFICATE": cert,
            "BFF_NGINX_KEY": key,
            "BFF_NGINX_REDIRECT": f"127.0.0.1:{free_port()}",
            "BFF_NGINX_ACCESS_LOG": found.log,
        }
        for name, port, more in (("plain", plain, {}), ("secure", secure, tls)):
            rendered = render(
                ROOT,
                folder / name,
                BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
                BFF_NGINX_UPSTREAM=" ".join(f"127.0.0.1:{each}" for each in ports),
                **(more | nginx),
            )
            _share(rendered, config)
            process = subprocess.Popen(command(rendered))  # noqa: S603
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            until(name, lambda port=port: listening(port))
        yield found


def _share(rendered: Path, config: Path) -> None:
    """Have nginx know the configuration, as docs say: by `bff routes`."""
    for option, name in (("--edge", "edge.conf"), ("--locations", "app.locations")):
        words = [sys.executable, "-m", "bff.cli", "routes", option, "--config", str(config)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
        (rendered / name).write_text(done.stdout)


@contextmanager
def _app(folder: Path, config: Path, number: int) -> Iterator[int]:
    port = free_port()
    environ = {
        **os.environ,
        "BFF_CONFIG": str(config),
        "BFF_BIND": f"127.0.0.1:{port}",
        "BFF_MANAGEMENT_BIND": "",
        "BFF_WORKERS": "1",
        "BFF_THREADS": "4",
        "BFF_STATE": str(folder / f"state-{number}"),
    }
    # not `bff serve`, which refuses a provider without https
    words = [sys.executable, "-c", "from bff.server.application import serve; serve()"]
    with (folder / f"app-{number}.log").open("wb") as log:
        process = subprocess.Popen(words, cwd=ROOT, env=environ, stdout=log, stderr=log)  # noqa: S603
    try:
        until("an app", lambda: ask(port, "/livez").status == 200)
        yield port
    finally:
        process.terminate()
        process.wait(30)
