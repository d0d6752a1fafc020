"""Workers are replaced after so many requests, behind the shipped nginx, and nobody notices."""

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import pytest

from tests.faults.deployed import ROOT, Deployed, deployed, until
from tests.faults.fault_proxy import FaultProxy
from tests.ports import free_port
from tests.project.test_nginx import command, listening, render

VIEWS = {
    "page": "get: /page\ntimeout: 45s\ncall: {get: s:/x}\n",
    "write": "post: /write\nbody: {type: object}\ncall: {post: s:/x, json: '{body}'}\n",
}


@dataclass
class Chain:
    port: int
    app: Deployed


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    proxy = FaultProxy("s", delay=0.005)
    front = free_port()
    services = f"  s: {{url: '{proxy.url}', timeout: 5s}}\n"
    environ = {"BFF_WORKERS": "2", "BFF_THREADS": "4", "BFF_MAX_REQUESTS": "60"}
    with deployed(tmp_path / "config", services, VIEWS, **environ) as app:
        folder = render(
            ROOT,
            tmp_path / "nginx",
            BFF_NGINX_LISTEN=f"127.0.0.1:{front}",
            BFF_NGINX_UPSTREAM=f"127.0.0.1:{app.port}",
            BFF_NGINX_RATE="10000r/s",
            BFF_NGINX_BURST=10000,
        )
        process = subprocess.Popen(command(folder))  # noqa: S603
        try:
            until("nginx", lambda: listening(front))
            yield Chain(front, app)
        finally:
            process.terminate()
            process.wait(10)
    proxy.stop()


@dataclass
class Load:
    """Clients that ask without a pause, half of them for writes, on connections that are kept."""

    port: int
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    ends: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        for method, path in (("GET", "/web/page"), ("POST", "/web/write")) * 3:
            self.threads.append(threading.Thread(target=self._ask, args=(method, path)))
            self.threads[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        for thread in self.threads:
            thread.join(20)

    def _ask(self, method: str, path: str) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        body = json.dumps({"a": 1}) if method == "POST" else None
        headers = {"Content-Type": "application/json", "X-CSRF": "1"} if body else {}
        while not self.ends.is_set():
            try:
                connection.request(method, path, body, headers)
                reply = connection.getresponse()
                text = reply.read()
                self.statuses[reply.status] += 1
                if reply.status != 200:
                    self.failures.append(f"{method} {reply.status} {text!r}")
            except (OSError, ValueError) as error:
                self.failures.append(f"{method} {error!r}")
                connection.close()
        connection.close()


def test_workers_are_replaced_without_a_request_lost(chain: Chain) -> None:
    seen: set[int] = set()

    def replaced() -> bool:
        seen.update(chain.app.workers())
        return len(seen) >= 2 + 8

    with Load(chain.port) as load:
        until("eight new workers", replaced, within=60)
    print(f"{len(seen)} workers: {dict(load.statuses)}")
    assert not load.failures
    assert set(load.statuses) == {200}
    assert load.statuses[200] >= 8 * 60


def test_a_worker_may_take_as_long_as_the_slowest_view_also_after_a_reload(tmp_path: Path) -> None:
    """Its heartbeat may be that old, and a stop may take that long."""
    told = tmp_path / "told"
    entry = ["tests.faults.timeouts_noted"]
    services = "  s: {url: 'http://127.0.0.1:9'}\n"
    with deployed(tmp_path / "config", services, VIEWS, entry=entry, NOTES=str(told)) as app:
        path = app.folder / "views/page.yaml"
        for timeout in ("90s", "3s"):
            path.write_text(VIEWS["page"].replace("45s", timeout))
            app.reload()
    assert told.read_text().split("\n")[:3] == ["50 25.0 50", "95 47.5 95", "30 15.0 10"]


def test_where_few_descriptors_are_allowed_fewer_connections_are_taken(tmp_path: Path) -> None:
    entry = ["tests.faults.few_descriptors"]
    services = "  s: {url: 'http://127.0.0.1:9'}\n"
    with deployed(tmp_path / "config", services, VIEWS, entry=entry) as app:
        assert app.ask("/readyz").status == 200
        (line,) = [each for each in app.log.read_text().splitlines() if "descriptors" in each]
    # 1000 connections, 8 threads, 2 for each of a pool of 32, and 256 for files
    assert "1328 descriptors are wanted, and 600 allowed" in line
    assert "taking 272 connections" in line
