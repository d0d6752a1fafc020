"""Minutes of random faults: no 500, no leak, and all is well afterwards. `make soak` runs it."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.deployed import (
    OWN_THREADS,
    THREADS,
    Answer,
    Deployed,
    ask,
    deployed,
    percentile,
    released,
    until,
)
from tests.faults.fault_proxy import FAULTS, FaultProxy

SECONDS = float(os.environ.get("SOAK_SECONDS", "120"))
SEED = int(os.environ.get("SOAK_SEED", "0")) or time.time_ns() % 1_000_000
NAMES = ("one", "two", "three")
LIMIT = 8  # calls at once of each service
POOL = LIMIT * len(NAMES)
VIEWS = {
    "page": """
get: /page
timeout: 2s
calls:
  one: {get: one:/x}
  two: {get: two:/x, fallback: {from: nowhere}}
  three: {each: "one.items", get: "three:/items/{item}", optional: true}
shape: {one: one.from, two: two.from, three: "three[].from"}
""",
}
POLICY = (
    "timeout: 500ms, max_reply: 1MB, hedge: 200ms, breaker: {of: 10, open: 500ms}, "
    f"retry: {{retries: 2, each: 300ms}}, limit: {{calls: {LIMIT}, wait: 200ms}}, "
    "deadline: X-Time-Left"
)


@pytest.fixture
def proxies() -> Iterator[dict[str, FaultProxy]]:
    made = {name: FaultProxy(name) for name in (*NAMES, "two-b")}
    yield made
    for each in made.values():
        each.stop()


@pytest.fixture
def app(proxies: dict[str, FaultProxy], tmp_path: Path, exchange: str) -> Iterator[Deployed]:
    urls = {name: f"'{proxies[name].url}'" for name in NAMES}
    urls["two"] = f"['{proxies['two'].url}', '{proxies['two-b'].url}']"
    services = "".join(f"  {name}: {{url: {urls[name]}, {POLICY}}}\n" for name in NAMES)
    with deployed(
        tmp_path / "config", services, VIEWS, exchange=exchange, BFF_POOL=str(POOL)
    ) as service:
        yield service


def go_wrong(proxies: list[FaultProxy], dice: Random) -> None:
    """Some of them, for a short while; then they are slow, or well at once."""
    bad = dice.sample(proxies, dice.choice([1, 1, 1, 2, len(proxies)]))
    for proxy in bad:
        proxy.set(dice.choice([*sorted(FAULTS), "refused"]))
        proxy.delay = dice.choice([0.0, 0.05, 0.4])
    time.sleep(dice.uniform(0.1, 0.8))
    for proxy in bad:
        proxy.set("")
    time.sleep(dice.uniform(0.0, 1.5))
    for proxy in bad:
        proxy.delay = 0.0


def soak(port: int, proxies: dict[str, FaultProxy], seconds: float, dice: Random) -> list[Answer]:
    """Ask all the time, while now this service goes wrong and now that."""
    answers: list[Answer] = []
    ends = time.monotonic() + seconds

    def client() -> None:
        while time.monotonic() < ends:
            answers.append(ask(port, "/web/page"))
            if answers[-1].status == 503:
                time.sleep(0.1)  # it was told to come again later

    threads = [threading.Thread(target=client) for _ in range(6)]
    for thread in threads:
        thread.start()
    while time.monotonic() < ends:
        go_wrong(list(proxies.values()), dice)
    for thread in threads:
        thread.join(30)
    return answers


def idle(app: Deployed) -> bool:
    """Whether no place, no wait and nothing of a budget is held."""
    seen = app.operators("/upstreams")
    return not any(seen[name][what] for name in NAMES for what in ("in_flight", "waiting", "extra"))


@pytest.mark.parametrize(
    ("seconds", "seed"),
    [(5.0, 1), pytest.param(SECONDS, SEED, marks=pytest.mark.large)],
    ids=["taste", "long"],
)
def test_random_faults(
    app: Deployed, proxies: dict[str, FaultProxy], seconds: float, seed: int
) -> None:
    for proxy in proxies.values():
        proxy.delay = 0.05
    app.many("/web/page", 40)  # connections and most of the threads are there
    before = app.held()
    print(f"seed {seed}")
    answers = soak(app.port, proxies, seconds, Random(seed))
    counts = Counter(answer.status for answer in answers)
    print(f"{dict(counts)}, p99 {percentile(answers, 0.99) * 1000:.0f} ms")
    assert set(counts) <= {200, 502, 503, 504}
    assert counts[200] > len(answers) / 10, "a soak that nobody gets through shows little"
    assert percentile(answers, 0.99) < 2.0 + 1.0
    until(
        "all to be well",
        lambda: app.ask("/web/page").calls == "one=ok, two=ok, three=ok",
    )
    until("nothing to be out", lambda: idle(app))
    released(app, before, threads=THREADS + POOL + OWN_THREADS)
    log = app.log.read_text()
    assert "Traceback" not in log
    assert "unexpected" not in log
