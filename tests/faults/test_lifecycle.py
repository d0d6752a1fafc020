"""Stopping and reloading under load: nobody gets less than an answer."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import pytest

from tests.faults.deployed import Deployed, ask, deployed, until
from tests.faults.fault_proxy import FaultProxy

VIEWS = {"page": "get: /page\ntimeout: 5s\ncall: {get: s:/x}\n"}


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    made = FaultProxy("s", delay=0.02)
    yield made
    made.stop()


@pytest.fixture
def app(proxy: FaultProxy, tmp_path: Path, exchange: str) -> Iterator[Deployed]:
    services = f"  s: {{url: '{proxy.url}', timeout: 2500ms}}\n"
    environ = {"BFF_WORKERS": "2", "BFF_THREADS": "4", "BFF_DRAIN": "1"}
    with deployed(tmp_path / "config", services, VIEWS, exchange=exchange, **environ) as service:
        yield service


class Load:
    """Clients that ask without a pause, on new connections and on kept ones."""

    def __init__(self, port: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self._port, self._ends = port, threading.Event()
        self._threads = [
            threading.Thread(target=target) for target in (self._fresh, self._kept) * 3
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join(20)

    def _fresh(self) -> None:
        while not self._ends.is_set():
            answer = ask(self._port, "/web/page")
            self.statuses[answer.status] += 1
            if not answer.status:
                self.failures.append(answer.body.decode())

    def _kept(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=15)
        while not self._ends.is_set():
            try:
                connection.request("GET", "/web/page")
                reply = connection.getresponse()
                reply.read()
                self.statuses[reply.status] += 1
            except (OSError, ValueError) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()


def test_a_reload_loses_no_request(app: Deployed) -> None:
    with Load(app.port) as load:
        for timeout in ("3s", "2s", "1s"):
            path = app.folder / "views/page.yaml"
            path.write_text(VIEWS["page"].replace("5s", timeout))
            app.reload()
    print(f"during three reloads: {dict(load.statuses)}")
    assert not load.failures
    assert set(load.statuses) == {200}
    assert load.statuses[200] > 100


def test_a_bad_configuration_changes_nothing_and_a_good_one_is_loaded(
    app: Deployed, proxy: FaultProxy
) -> None:
    path = app.folder / "views/page.yaml"
    with Load(app.port) as load:
        path.write_text("get: [\n")
        app.reload()
        assert "page.yaml" in app.operators("/readyz")["notes"]["configuration"]
        path.write_text(VIEWS["page"].replace("/page", "/moved"))
        app.reload()
        assert list(app.operators("/readyz")["notes"]) == ["exchange"]
        assert app.ask("/web/moved").status == 200
    assert not load.failures
    assert set(load.statuses) == {200, 404}
    assert proxy.served


def test_a_stop_says_so_first_and_finishes_what_it_has(app: Deployed, proxy: FaultProxy) -> None:
    proxy.delay = 1.5
    answers: list[int] = []
    early = threading.Thread(target=lambda: answers.append(app.ask("/web/page").status))
    early.start()
    until("the first request", lambda: proxy.served == 1)
    app.process.send_signal(signal.SIGTERM)
    until("it to be unready", lambda: app.ask("/readyz").status == 503, within=1.0)
    assert app.operators("/readyz")["reasons"] == {"stopping": "stopping"}
    late = threading.Thread(target=lambda: answers.append(app.ask("/web/page").status))
    late.start()
    began = time.monotonic()
    early.join(10)
    late.join(10)
    assert answers == [200, 200]
    assert app.process.wait(10) == 0
    assert time.monotonic() - began < 6


def test_a_stop_is_bounded(app: Deployed, proxy: FaultProxy) -> None:
    proxy.set("blackhole")
    threads = [threading.Thread(target=app.ask, args=("/web/page",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    until("the requests", lambda: proxy.served >= 4)
    began = time.monotonic()
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(15) == 0
    assert time.monotonic() - began < 10
    for thread in threads:
        thread.join(10)
