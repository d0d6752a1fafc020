"""The shipped nginx, plain and with TLS, before the shipped gunicorn, whose app is watched."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.deployed import ROOT, deployed, until
from tests.ports import free_port
from tests.project.test_nginx import command, listening, render
from tests.project.test_nginx_tls import certificate

VIEWS = {"page": "get: /front\naccess: public\ncall: {get: s:/x}\n"}
_PATIENCE = 5  # seconds, which only what is taken for more of a body takes
_LAST, _REFUSED = "/web/last", 421  # its host is none of the app's, which nobody else's is
SERVICES = "  s: {url: 'http://127.0.0.1:9'}\n"


@dataclass
class Edge:
    """The ports of all who listen, and what came through to the app."""

    plain: int
    secure: int
    gunicorn: int
    trust: Path
    notes: Path

    def forget(self) -> None:
        self.notes.write_bytes(b"")

    @property
    def seen(self) -> list[dict[str, Any]]:
        """The requests that the app has seen since, but for the last one of ours."""
        noted = [json.loads(line) for line in self.notes.read_text().splitlines()]
        return [each for each in noted if each["RAW_URI"] != _LAST]

    def say(self, port: int, raw: bytes) -> list[int]:
        """Send these bytes and, when they are answered, one request more; its answer is left out.

        It is answered after whatever was taken for a request before it, so that nothing is missed.
        Where it is taken for more of a body, nothing comes of it.
        """
        told = b""
        with (
            socket.create_connection(("127.0.0.1", port), 15) as line,
            suppress(ConnectionError, TimeoutError),
        ):
            line.sendall(raw)
            while (some := line.recv(65536)) and not statuses(told + some):
                told += some
            told += some
            line.sendall(f"GET {_LAST} HTTP/1.1\r\nHost: last.example\r\n\r\n".encode())
            line.settimeout(_PATIENCE)
            while (some := line.recv(65536)) and _REFUSED not in statuses(told + some):
                told += some
        return statuses(told)


def statuses(told: bytes) -> list[int]:
    """Of the answers in what was told; that one may go on (100) is none."""
    found = map(int, re.findall(rb"HTTP/1\.[01] (\d{3}) ", told))
    return [status for status in found if status >= 200]


@contextmanager
def edge(folder: Path) -> Iterator[Edge]:
    notes = folder / "notes"
    cert, key = certificate(folder / "tls")
    entry = ["tests.e2e.edge.witness"]
    with ExitStack() as stack:
        made = deployed(folder / "config", SERVICES, VIEWS, entry=entry, NOTES=str(notes))
        app = stack.enter_context(made)
        found = Edge(free_port(), free_port(), app.port, cert, notes)
        tls = {
            "BFF_NGINX_TLS": "on",
            "BFF_NGINX_CERTIFICATE": cert,
            "BFF_NGINX_KEY": key,
            "BFF_NGINX_REDIRECT": f"127.0.0.1:{free_port()}",
        }
        for name, port, more in (("plain", found.plain, {}), ("secure", found.secure, tls)):
            rendered = render(
                ROOT,
                folder / name,
                BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
                BFF_NGINX_UPSTREAM=f"127.0.0.1:{app.port}",
                BFF_NGINX_RATE="10000r/s",
                BFF_NGINX_BURST=1000,
                BFF_NGINX_WORKERS=1,
                **more,
            )
            process = subprocess.Popen(command(rendered), env=dict(os.environ))  # noqa: S603
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            until(name, lambda port=port: listening(port))
        yield found
