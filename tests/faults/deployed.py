"""The app under gunicorn, as it is deployed, and what is asked and measured of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
THREADS = 8
# Of each worker, beside those of requests and pools: the main one, the log's, the metrics', the
# management listener's, and that of a connection to it.
OWN_THREADS = 5
_RELEASED_WITHIN = 30.0  # seconds
_MORE_MEMORY = 30 * 1024 * 1024  # bytes more than before, which an allocator may keep


def until(what: str, happens: Callable[[], object], within: float = 20.0) -> None:
    end = time.monotonic() + within
    while not happens():
        assert time.monotonic() < end, f"in vain: {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Answer:
    """What came, and how long it took in seconds; status 0 is no answer at all."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    took: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def calls(self) -> str:
        return self.headers.get("bff-calls", "")


def ask(port: int, path: str, timeout: float = 15.0) -> Answer:
    """One request on a connection of its own."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    began = time.monotonic()
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        reply = connection.getresponse()
        body = reply.read()
    except (OSError, ValueError) as error:
        return Answer(0, {}, repr(error).encode(), time.monotonic() - began)
    finally:
        connection.close()
    headers = {name.lower(): value for name, value in reply.getheaders()}
    return Answer(reply.status, headers, body, time.monotonic() - began)


def ask_many(port: int, path: str, times: int, at_once: int) -> list[Answer]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda _: ask(port, path), range(times)))


def percentile(answers: list[Answer], share: float) -> float:
    took = sorted(each.took for each in answers)
    return took[min(len(took) - 1, int(share * len(took)))]


@dataclass(frozen=True)
class Held:
    """What the workers hold of the machine."""

    threads: int
    descriptors: int
    memory: int  # bytes


@dataclass
class Deployed:
    """A running gunicorn."""

    folder: Path
    port: int
    management: int
    log: Path
    process: subprocess.Popen[bytes]

    def ask(self, path: str) -> Answer:
        return ask(self.port, path)

    def many(self, path: str, times: int, at_once: int = 8) -> list[Answer]:
        return ask_many(self.port, path, times, at_once)

    def operators(self, path: str) -> Any:
        """What the management listener says."""
        return ask(self.management, path).json

    def workers(self) -> set[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return set(map(int, children.read_text().split()))

    def held(self) -> Held:
        found = [_held_by(worker) for worker in self.workers()]
        return Held(
            *(
                sum(getattr(each, name) for each in found)
                for name in ("threads", "descriptors", "memory")
            )
        )

    def reload(self) -> None:
        """Have all workers replaced, and wait until they are."""
        old = self.workers()
        self.process.send_signal(signal.SIGHUP)
        until("new workers", lambda: self.workers() and not self.workers() & old, 40)


def _held_by(process: int) -> Held:
    status = Path(f"/proc/{process}/status").read_text()
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    descriptors = len(list(Path(f"/proc/{process}/fd").iterdir()))
    return Held(int(lines["Threads"]), descriptors, int(lines["VmRSS"].split()[0]) * 1024)


def released(app: Deployed, before: Held, *, threads: int = 0) -> None:
    """Wait until the workers hold no more than before, and fail with both figures if they do not.

    Args:
        before: what they held before anything went wrong.
        threads: how many they may have in any case. Pools start a thread when a request finds
            none that is free, and keep it: how many there are at first is chance.
    """
    most = max(threads, before.threads + 2)
    end = time.monotonic() + _RELEASED_WITHIN
    while not _is_released(before, now := app.held(), most):
        assert time.monotonic() < end, f"held before: {before}, now: {now}, threads <= {most}"
        time.sleep(0.02)


def _is_released(before: Held, now: Held, most_threads: int) -> bool:
    return (
        now.threads <= most_threads
        and now.descriptors <= before.descriptors + 4
        and now.memory <= before.memory + _MORE_MEMORY
    )


@contextmanager
def deployed(
    folder: Path,
    services: str,
    views: Mapping[str, str],
    relays: Mapping[str, str] | None = None,
    entry: Sequence[str] = ("bff.cli", "serve"),
    exchange: str = "",
    **environ: str,
) -> Iterator[Deployed]:
    """Serve a configuration of a test's own.

    Args:
        entry: the module that serves, and its arguments.
    """
    for name in ("views", "relays"):
        (folder / name).mkdir(parents=True)
    head = "version: 1\nfrontends: {web: {access: none}}\nservices:\n"
    head = f"exchange: {exchange}\n{head}" if exchange else head
    (folder / "bff.yaml").write_text(head + services)
    for name, text in views.items():
        (folder / f"views/{name}.yaml").write_text(text)
    for name, text in (relays or {}).items():
        (folder / f"relays/{name}.yaml").write_text(text)
    port, management = free_port(), free_port()
    environment = {
        **os.environ,
        "BFF_CONFIG": str(folder),
        "BFF_BIND": f"127.0.0.1:{port}",
        "BFF_MANAGEMENT_BIND": f"127.0.0.1:{management}",
        "BFF_WORKERS": "1",
        "BFF_THREADS": str(THREADS),
        "BFF_POOL": "32",
        **environ,
    }
    log = folder.parent / f"{folder.name}.log"
    command = [sys.executable, "-m", *entry]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        found = Deployed(folder, port, management, log, process)
        until("an answer", lambda: _answers(found))
        yield found
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _answers(service: Deployed) -> bool:
    assert service.process.poll() is None, service.log.read_text()
    return service.ask("/readyz").status == 200
