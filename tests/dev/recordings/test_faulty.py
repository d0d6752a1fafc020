"""What breaks inside the app breaks as it does over sockets."""

import json
from queue import SimpleQueue
from time import monotonic

import pytest

from bff.cli.faults import FAULTS as FAULT_WORDS
from bff.cli.faults import read_faults
from bff.dev.recordings.faulty import FAULTS, FaultyExchange
from bff.dev.recordings.replay import ReplayExchange
from bff.dev.recordings.replay_cursor import replay_cursors
from bff.dev.stubs import fault as stub_fault
from bff.dev.stubs.stub import StubReply, StubServices
from bff.model.exchange import Deadline, Request
from bff.model.service import Service
from bff.model.source import Place
from bff.upstream.pool import PoolExchange

ASKED = Request("orders", "GET", "/a", max_reply=10_000)
PATIENCE = 0.6  # seconds; what comes at all comes at once


def result_of(exchange):
    mailbox = SimpleQueue()
    exchange.start(ASKED, Deadline(monotonic() + PATIENCE), 1, mailbox)
    try:
        return mailbox.get(timeout=5 * PATIENCE).result
    except Exception:  # noqa: BLE001 - of an empty mailbox: nothing came
        return None


@pytest.fixture
def replay(tmp_path):
    entry = {
        "request": {"method": "GET", "url": "http://orders/a"},
        "response": {"status": 200, "content": {"text": "[1, 2, 3]"}},
    }
    (tmp_path / "orders.har").write_text(json.dumps({"log": {"entries": [entry]}}))
    return ReplayExchange(replay_cursors(tmp_path), {})


@pytest.mark.parametrize("fault", FAULT_WORDS.values())
def test_a_fault_is_told_as_the_exchange_over_sockets_tells_it(fault):
    with StubServices({"orders": lambda _: StubReply.json([1, 2, 3])}) as stubs:
        stubs.set("orders", fault=fault)
        service = Service("orders", Place("bff.yaml"), stubs.urls["orders"], 1.0, 10_000)
        live = PoolExchange({"orders": service}, 2)
        told = result_of(live)
        live.close()
    inside = FAULTS[fault]
    if inside is None:
        assert told.reason == "timeout"
    else:
        assert (type(told), told.reason, told.args[1:]) == (
            *(type(inside), inside.reason, inside.args[1:]),
        )
        assert vars(told) == vars(inside)


def test_every_fault_of_the_stubs_is_known_inside_the_app():
    assert FAULTS.keys() == stub_fault.FAULTS.keys()
    assert set(FAULT_WORDS.values()) <= FAULTS.keys()


def test_a_broken_service_breaks_and_what_it_was_asked_counts_as_asked(replay):
    assert replay.unused()
    exchange = FaultyExchange(replay, {"orders": FAULTS["truncated"]})
    assert result_of(exchange) is FAULTS["truncated"]
    assert replay.unused() == {}
    assert replay.missed() == []
    well = FaultyExchange(replay, {"users": FAULTS["truncated"]})
    assert result_of(well).body == b"[1, 2, 3]"


@pytest.mark.parametrize("text", ["orders", "orders=slowly", "other=slow", "=slow"])
def test_a_fault_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match=r"a recorded service and one of reset, empty"):
        read_faults((text,), {"orders"})
