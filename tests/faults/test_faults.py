"""One service goes wrong in every way: the answer is as declared, in time, and nothing leaks."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.deployed import Deployed, deployed, percentile, released, until
from tests.faults.fault_proxy import FaultProxy

TIMEOUT = 0.4
SLACK = float(os.environ.get("BFF_TEST_SLACK", "1.0"))  # a noisy machine
TIMES = 12

# what the call comes to, and the status where the view needs it
DECLARED = {
    "refused": ({"reason=unreachable"}, 502),
    "reset_before": ({"reason=unreachable"}, 502),
    "reset_mid_body": ({"reason=unreachable"}, 502),
    "blackhole": ({"reason=timeout"}, 504),
    "dribbled_headers": ({"reason=timeout"}, 504),
    "dribbled_body": ({"reason=timeout"}, 504),
    "truncated": ({"reason=unreachable"}, 502),
    "garbage": ({"reason=bad_reply", "reason=unreachable"}, 502),  # as far as it was read
    "garbage_body": ({"reason=bad_reply"}, 502),
    "bomb": ({"reason=too_many"}, 502),
    "endless": ({"reason=too_many"}, 502),
    "too_short": ({"reason=bad_reply"}, 502),
    "two_lengths": ({"reason=bad_reply"}, 502),
    "flood_of_1xx": ({"reason=timeout"}, 504),
    "many_headers": ({"reason=bad_reply"}, 502),
    "error": ({"reason=status;status=500"}, 502),
    "busy": ({"reason=status;status=503"}, 502),
}
VIEWS = {
    "required": "get: /required\ntimeout: 2s\ncall: {get: bad:/x}\n",
    "partial": """
get: /partial
timeout: 2s
calls:
  bad: {get: bad:/x, fallback: {from: nowhere}}
  good: {get: good:/x}
shape: {bad: bad.from, good: good.from}
""",
    "steady": "get: /steady\ncall: {get: good:/x}\n",
}


@pytest.fixture(scope="module")
def bad() -> Iterator[FaultProxy]:
    proxy = FaultProxy("bad")
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def good() -> Iterator[FaultProxy]:
    proxy = FaultProxy("good")
    yield proxy
    proxy.stop()


@pytest.fixture(scope="module")
def app(
    bad: FaultProxy, good: FaultProxy, tmp_path_factory: pytest.TempPathFactory, exchange: str
) -> Iterator[Deployed]:
    services = (
        f"  bad: {{url: '{bad.url}', timeout: {int(TIMEOUT * 1000)}ms, max_reply: 1MB}}\n"
        f"  good: {{url: '{good.url}', timeout: 2s}}\n"
    )
    with deployed(
        tmp_path_factory.mktemp("faults") / "config", services, VIEWS, exchange=exchange
    ) as service:
        bad.delay = good.delay = 0.2
        service.many("/web/partial", 16)  # every thread has started
        bad.delay = good.delay = 0.0
        yield service


@pytest.mark.parametrize("fault", DECLARED)
def test_the_answer_is_the_declared_one_and_in_time(
    app: Deployed, bad: FaultProxy, fault: str
) -> None:
    assert app.ask("/web/partial").json == {"bad": "bad", "good": "good"}
    before = app.held()
    bad.set(fault)
    try:
        partial = app.many("/web/partial", TIMES, at_once=4)
        required = app.many("/web/required", 4, at_once=4)
    finally:
        bad.set("")
    reasons, status = DECLARED[fault]
    for answer in partial:
        assert (answer.status, answer.json) == (200, {"bad": "nowhere", "good": "good"})
        assert answer.headers["cache-control"] == "no-store"
        assert answer.calls.split(", ")[1] == "good=ok"
        assert answer.calls.split(", ")[0].partition(";")[2] in reasons, answer.calls
    for answer in required:
        assert answer.status == status
        assert answer.headers["content-type"] == "application/problem+json"
    p99 = percentile([*partial, *required], 0.99)
    print(f"{fault}: p99 {p99 * 1000:.0f} ms of {TIMEOUT * 1000:.0f} ms")
    assert p99 <= TIMEOUT + SLACK
    until("an answer that is well", lambda: app.ask("/web/partial").calls == "bad=ok, good=ok")
    released(app, before)


def test_all_services_at_once(app: Deployed, bad: FaultProxy, good: FaultProxy) -> None:
    before = app.held()
    for proxy in (bad, good):
        proxy.set("blackhole")
    try:
        answers = app.many("/web/partial", 8)
    finally:
        for proxy in (bad, good):
            proxy.set("")
    assert {answer.status for answer in answers} == {504}
    p99 = percentile(answers, 0.99)
    print(f"all at once: p99 {p99 * 1000:.0f} ms of 2000 ms")
    assert p99 <= 2.0 + SLACK
    until("an answer that is well", lambda: app.ask("/web/partial").status == 200)
    released(app, before)


def test_the_log_has_no_error(app: Deployed) -> None:
    log = Path(app.log).read_text()
    assert "Traceback" not in log
    assert "unexpected" not in log


def test_operators_know_what_carries_requests(app: Deployed, exchange: str) -> None:
    assert app.operators("/readyz")["notes"]["exchange"] == exchange
    assert f"requests to services are carried by: {exchange}" in Path(app.log).read_text()
