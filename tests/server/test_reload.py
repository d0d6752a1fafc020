"""`bff serve`, with edits while it runs: no bad one takes the service down."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def until(what: str, happens: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not happens():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


@dataclass
class Service:
    folder: Path
    port: int
    management: int
    log: Path
    process: subprocess.Popen[bytes]

    def alive(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/livez", headers={"Connection": "close"})
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def notes(self) -> dict[str, str]:
        """What operators are told."""
        connection = HTTPConnection("127.0.0.1", self.management, timeout=5)
        try:
            connection.request("GET", "/readyz", headers={"Connection": "close"})
            told: dict[str, str] = json.loads(connection.getresponse().read())["notes"]
            return told
        finally:
            connection.close()

    def workers(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, children.read_text().split()))

    def reload(self, text: str) -> None:
        """Write bff.yaml, send SIGHUP, and wait until every worker is a new one."""
        (self.folder / "bff.yaml").write_text(text)
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        until("new workers", lambda: self.workers() and not self.workers() & old)
        until("an answer", self.alive)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    folder, started = tmp_path / "config", []
    shutil.copytree(ROOT / "config", folder)

    def run(**more: str) -> Service:
        port, management = free_port(), free_port()
        environment = os.environ | {
            "BFF_CONFIG": str(folder),
            "BFF_BIND": f"127.0.0.1:{port}",
            "BFF_MANAGEMENT_BIND": f"127.0.0.1:{management}",
            "BFF_WORKERS": "2",
            "BFF_THREADS": "2",
            **more,
        }
        log = tmp_path / "log"
        command = [sys.executable, "-m", "bff.cli", "serve"]
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        started.append(process)
        return Service(folder, port, management, log, process)

    yield run
    for process in started:
        process.terminate()
        process.wait(20)


def test_a_bad_configuration_is_not_started(start: Callable[[], Service], tmp_path: Path) -> None:
    (tmp_path / "config/bff.yaml").write_text("frontends: {web\n")
    service = start()
    assert service.process.wait(20) == 2
    log = service.log.read_text()
    assert "bff.yaml" in log
    assert "Traceback" not in log


def test_a_bad_edit_is_reported_and_the_last_good_configuration_serves(
    start: Callable[[], Service],
) -> None:
    service = start()
    until("an answer", service.alive)
    good = (service.folder / "bff.yaml").read_text()

    service.reload("frontends: {web\n")
    assert "the new configuration is invalid" in service.log.read_text()
    assert "Traceback" not in service.log.read_text()
    assert "bff.yaml" in service.notes()["configuration"]

    # A worker that dies now comes back from what the master holds, not from the broken file.
    lost = service.workers()
    for worker in lost:
        os.kill(worker, signal.SIGKILL)
    until("new workers", lambda: len(service.workers() - lost) == 2)
    until("an answer", service.alive)

    service.reload(good)
    assert "the new configuration is in use" in service.log.read_text()
    assert list(service.notes()) == ["exchange"]


def test_a_file_of_gunicorns_settings_that_appears_changes_nothing(
    start: Callable[[], Service],
) -> None:
    service = start()
    until("an answer", service.alive)
    (service.folder / "gunicorn.conf.py").write_text("raise SystemExit(3)\n")
    service.reload((service.folder / "bff.yaml").read_text())
    assert "gunicorn.conf.py" in service.notes()["configuration"]
    assert "the new configuration is invalid" in service.log.read_text()


def test_a_reload_that_gunicorn_cannot_finish_ends_nothing(
    start: Callable[..., Service], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    service = start(GUNICORN_CMD_ARGS=f"--pid {folder}/pid")
    until("an answer", service.alive)
    until("both workers", lambda: len(service.workers()) == 2)
    shutil.rmtree(folder)
    before = service.workers()
    service.process.send_signal(signal.SIGHUP)
    until("the reload", lambda: "the reload is not complete" in service.log.read_text())
    assert service.alive()
    assert service.workers() == before


def test_it_listens_where_it_is_told_and_ends_on_sigterm(start: Callable[[], Service]) -> None:
    service = start()
    until("an answer", service.alive)
    socket.create_connection(("127.0.0.1", service.management), timeout=5).close()
    workers = service.workers()
    service.process.terminate()
    assert service.process.wait(20) == 0
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]
