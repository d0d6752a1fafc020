"""More is asked than can be answered: what can be is, and the rest is turned away at once."""

import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.deployed import ROOT, Answer, Deployed, ask, deployed, until
from tests.faults.fault_proxy import FaultProxy
from tests.ports import free_port
from tests.project.test_nginx import command, listening, render

THREADS = 8
LATENCY = 0.5
VIEWS = {"page": "get: /page\ntimeout: 5s\ncall: {get: s:/x}\n"}


@dataclass
class Chain:
    """nginx as shipped, gunicorn, and a slow service."""

    port: int
    app: Deployed


@pytest.fixture
def chain(tmp_path: Path, exchange: str) -> Iterator[Chain]:
    proxy = FaultProxy("s", delay=LATENCY)
    front = free_port()
    services = f"  s: {{url: '{proxy.url}', timeout: 4s, limit: 32}}\n"
    with deployed(
        tmp_path / "config", services, VIEWS, exchange=exchange, BFF_THREADS=str(THREADS)
    ) as app:
        folder = render(
            ROOT,
            tmp_path / "nginx",
            BFF_NGINX_LISTEN=f"127.0.0.1:{front}",
            BFF_NGINX_UPSTREAM=f"127.0.0.1:{app.port}",
            BFF_NGINX_IN_FLIGHT=2 * THREADS,
            BFF_NGINX_RATE="10000r/s",
            BFF_NGINX_BURST=10000,
            BFF_NGINX_CONNECTIONS=1000,
        )
        process = subprocess.Popen(command(folder))  # noqa: S603
        try:
            until("nginx", lambda: listening(front))
            yield Chain(front, app)
        finally:
            process.terminate()
            process.wait(10)
    proxy.stop()


def overloaded(port: int, clients: int, seconds: float) -> list[Answer]:
    """Clients that ask without end; who is turned away comes again soon."""
    answers: list[Answer] = []
    ends = time.monotonic() + seconds

    def client() -> None:
        while time.monotonic() < ends:
            answer = ask(port, "/web/page")
            answers.append(answer)
            if answer.status != 200:
                time.sleep(0.1)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers


@pytest.mark.parametrize(
    "seconds", [4.0, pytest.param(20.0, marks=pytest.mark.large)], ids=["short", "long"]
)
def test_what_can_be_answered_is_and_the_rest_is_turned_away(chain: Chain, seconds: float) -> None:
    began = time.monotonic()
    answers = overloaded(chain.port, 5 * THREADS, seconds)
    took = time.monotonic() - began  # until the last of them has its answer
    counts = Counter(answer.status for answer in answers)
    possible = THREADS / LATENCY * took
    print(f"{counts[200]} answered of {possible:.0f} possible, {counts[503]} turned away")
    assert set(counts) == {200, 503}
    assert counts[200] >= 0.9 * possible
    refused = [answer for answer in answers if answer.status == 503]
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert sorted(answer.took for answer in refused)[len(refused) * 9 // 10] < 0.3
    answered = [answer for answer in answers if answer.status == 200]
    # working once and waiting once: nobody who is answered has waited for long
    assert sorted(answer.took for answer in answered)[len(answered) * 9 // 10] < 4 * LATENCY
