"""The log: one JSON object a line, and nobody's data in it."""

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.model.exchange import Outcome
from bff.observe.events import Answered
from bff.observe.log import JsonFormatter, log_answers, log_to_stderr, logger


def line(message="m", exc_info=None, **extra):
    record = logging.makeLogRecord(
        {"msg": message, "levelname": "INFO", "exc_info": exc_info, **extra}
    )
    return JsonFormatter().format(record)


@given(st.text(), st.text())
def test_any_message_is_one_line_of_json(message, value):
    written = line(message.replace("%", "%%"), detail=value)
    assert "\n" not in written
    assert json.loads(written)["level"] == "info"


def test_what_json_does_not_know_is_written_as_text():
    assert json.loads(line(thing={1, 2}))["thing"] == "{1, 2}"


def test_an_exception_is_told_by_its_name_and_place_and_not_by_its_message():
    try:
        int("S3CRET")
    except ValueError:
        written = line(exc_info=sys.exc_info())
    content = json.loads(written)
    assert content["error"] == "ValueError"
    assert "test_log.py" in content["where"][0]
    assert "S3CRET" not in written


ANSWERED = Answered(
    id="abcdefgh",
    frontend="web",
    view="home",
    status=200,
    took=0.01234,
    outcomes={"a": Outcome("ok", took=0.001), "b": Outcome("failed", "timeout", detail="late")},
)


def test_an_answer_is_told_with_its_calls(caplog):
    with caplog.at_level(logging.INFO, "bff"):
        log_answers(ANSWERED)
    content = json.loads(JsonFormatter().format(caplog.records[0]))
    del content["timestamp"]
    assert content == {
        "level": "info",
        "message": "answered",
        "id": "abcdefgh",
        "frontend": "web",
        "view": "home",
        "status": 200,
        "ms": 12.3,
        "calls": {
            "a": {"outcome": "ok", "ms": 1.0},
            "b": {"outcome": "failed", "ms": 0.0, "reason": "timeout", "detail": "late"},
        },
    }


@pytest.fixture
def restored():
    kept = logger.handlers[:], logger.level, logger.propagate
    levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore")}
    yield
    logger.handlers[:], logger.propagate = kept[0], kept[2]
    logger.setLevel(kept[1])
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.usefixtures("restored")
def test_the_log_goes_to_standard_error_once(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log_to_stderr()
    log_to_stderr()
    log_answers(ANSWERED)
    logging.getLogger("httpx").info("GET http://inner/?token=S3CRET")
    (written,) = stream.getvalue().splitlines()
    assert json.loads(written)["view"] == "home"
