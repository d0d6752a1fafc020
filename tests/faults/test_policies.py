"""Retries, breakers, limits and addresses, over real sockets and under the real gunicorn."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.deployed import Deployed, ask, deployed, percentile, released, until
from tests.faults.fault_proxy import FaultProxy

HERE = Path(__file__).parent
VIEWS = {
    "retried": "get: /retried\ncall: {get: retried:/x}\n",
    "broken": "get: /broken\ncall: {get: broken:/x}\n",
    "hedged": "get: /hedged\ncall: {get: hedged:/x}\n",
    "spread": "get: /spread\ncall: {get: spread:/x}\n",
    "moved": "get: /moved\ncall: {get: moved:/x}\n",
    "slow": "get: /slow\ncall: {get: slow:/x}\n",
    "quick": "get: /quick\ncall: {get: quick:/x}\n",
}
NAMES = ("retried", "broken", "hedged", "one", "two", "old", "new", "slow", "quick")


@pytest.fixture(scope="module")
def proxies() -> Iterator[dict[str, FaultProxy]]:
    made = {name: FaultProxy(name) for name in NAMES}
    yield made
    for each in made.values():
        each.stop()


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where names are looked up: a file of hosts and ports."""
    return tmp_path_factory.mktemp("names") / "names.json"


@pytest.fixture(scope="module")
def app(
    proxies: dict[str, FaultProxy],
    names: Path,
    tmp_path_factory: pytest.TempPathFactory,
    exchange: str,
) -> Iterator[Deployed]:
    at = {name: each.url for name, each in proxies.items()}
    services = f"""
  retried: {{url: '{at["retried"]}', retry: {{retries: 9, first: 100ms, most: 100ms}}}}
  broken: {{url: '{at["broken"]}', timeout: 300ms, breaker: {{of: 5, open: 1s, probes: 2}}}}
  hedged: {{url: '{at["hedged"]}', timeout: 3s, hedge: 100ms}}
  spread:
    url: ['{at["one"]}', '{at["two"]}']
    timeout: 1s
    retry: {{retries: 1, first: 10ms, on: [connect, reset, 500]}}
    eject: {{after: 3, time: 1s}}
  moved: {{url: 'http://moving.test', renew: 500ms}}
  slow: {{url: '{at["slow"]}', timeout: 3s, limit: {{calls: 2, wait: 20ms}}}}
  quick: {{url: '{at["quick"]}'}}
"""
    names.write_text(json.dumps({"moving.test": ["127.0.0.1", proxies["old"].port]}))
    folder = tmp_path_factory.mktemp("policies") / "config"
    entry = ["tests.faults.names_from_file"]
    with deployed(
        folder, services, VIEWS, entry=entry, exchange=exchange, NAMES=str(names)
    ) as service:
        yield service


@pytest.mark.parametrize("fault", ["busy", "reset_before"])
def test_a_short_failure_is_not_seen_by_anybody(
    app: Deployed, proxies: dict[str, FaultProxy], fault: str
) -> None:
    proxies["retried"].set(fault, times=2)
    served = proxies["retried"].served
    assert {answer.status for answer in app.many("/web/retried", 2)} == {200}
    assert proxies["retried"].served == served + 4


def test_a_service_that_is_away_for_a_moment_is_not_missed_by_anybody(
    app: Deployed, proxies: dict[str, FaultProxy]
) -> None:
    def waits_to_be_sent_again() -> int:
        seen = app.operators("/upstreams")["retried"]
        return int(seen["extra"])

    proxies["retried"].set("refused")
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(app.ask, "/web/retried") for _ in range(2)]
        until("an attempt to fail", waits_to_be_sent_again)
        proxies["retried"].set("")
        assert {each.result().status for each in asked} == {200}


def test_a_breaker_opens_tells_operators_and_closes(
    app: Deployed, proxies: dict[str, FaultProxy]
) -> None:
    broken = proxies["broken"]

    def seen() -> dict[str, object]:
        (address,) = app.operators("/upstreams")["broken"]["addresses"].values()
        return dict(address)

    broken.set("blackhole")
    answers = app.many("/web/broken", 12, at_once=1)
    broken.set("")
    assert [answer.status for answer in answers] == [504] * 5 + [503] * 7
    assert percentile(answers[5:], 0.99) < 0.25, "who is refused does not wait"
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].json["reason"] == "circuit_open"
    assert seen()["state"] == "open"
    assert seen()["opened"] == 1
    until(
        "it to close", lambda: app.ask("/web/broken").status == 200 and seen()["state"] == "closed"
    )

    def states() -> list[str]:
        lines = app.log.read_text().split("\n")[:-1]  # the last is not written to its end
        log = [json.loads(line) for line in lines if line.startswith("{")]
        return [line["state"] for line in log if line.get("service") == "broken"]

    until("the log, which is written behind the answers", lambda: len(states()) >= 3)
    assert states() == ["open", "half_open", "closed"]


def test_a_hedge_overtakes_a_request_that_hangs(
    app: Deployed, proxies: dict[str, FaultProxy]
) -> None:
    hedged = proxies["hedged"]
    hedged.set("blackhole")
    threading.Timer(0.05, hedged.set, [""]).start()
    answer = app.ask("/web/hedged")
    assert answer.status == 200
    assert answer.took < 1.0
    assert hedged.served == 2


def test_an_address_that_fails_costs_nobody_an_answer_and_is_left_out(
    app: Deployed, proxies: dict[str, FaultProxy]
) -> None:
    one, two = proxies["one"], proxies["two"]
    app.many("/web/spread", 16)  # every thread has started
    one.served = two.served = 0
    before = app.held()
    one.set("error")
    answers = app.many("/web/spread", 60, at_once=3)  # as many as may always be sent again at once
    print(f"one of two fails: p99 {percentile(answers, 0.99) * 1000:.0f} ms")
    assert Counter(answer.status for answer in answers) == {200: 60}
    assert {answer.json["from"] for answer in answers} == {"two"}
    assert one.served < 20, "it was left out"
    assert two.served == 60
    seen = app.operators("/upstreams")["spread"]["addresses"]
    assert seen[one.url]["ejected"]
    one.set("")
    until("it to be asked again", lambda: app.ask("/web/spread").json["from"] == "one")
    released(app, before)


def test_a_service_that_moves_is_found(
    app: Deployed, proxies: dict[str, FaultProxy], names: Path
) -> None:
    assert {each.json["from"] for each in app.many("/web/moved", 16)} == {"old"}
    before = app.held()
    names.write_text(json.dumps({"moving.test": ["127.0.0.1", proxies["new"].port]}))
    began = time.monotonic()
    answers = []
    while time.monotonic() - began < 0.7:
        answers.append(app.ask("/web/moved"))
    assert {each.status for each in answers} == {200}
    print(f"a service moves: p99 {percentile(answers, 0.99) * 1000:.0f} ms")
    assert {each.json["from"] for each in app.many("/web/moved", 8, at_once=4)} == {"new"}
    released(app, before)


def test_a_slow_service_does_not_slow_who_does_not_use_it(
    app: Deployed, proxies: dict[str, FaultProxy]
) -> None:
    proxies["slow"].delay = 2.0
    stop = threading.Event()
    slow: list[int] = []

    def hammer() -> None:
        while not stop.is_set():
            slow.append(ask(app.port, "/web/slow").status)

    threads = [threading.Thread(target=hammer) for _ in range(16)]
    for thread in threads:
        thread.start()
    until("the slow ones", lambda: len(slow) > 20)
    answers = app.many("/web/quick", 60, at_once=2)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert {answer.status for answer in answers} == {200}
    print(f"beside a slow service: p95 {percentile(answers, 0.95) * 1000:.0f} ms")
    assert percentile(answers, 0.95) < 1.0, "half of what the slow one takes"
    assert set(slow) == {200, 503}


def test_a_client_that_leaves_is_not_worked_for(
    app: Deployed, proxies: dict[str, FaultProxy]
) -> None:
    proxies["slow"].delay = 0.0
    proxies["slow"].set("blackhole")
    try:
        assert ask(app.port, "/web/slow", timeout=0.2).status == 0
        until(
            "the call to be given up",
            lambda: app.operators("/upstreams")["slow"]["in_flight"] == 0,
            within=2.0,
        )
    finally:
        proxies["slow"].set("")
