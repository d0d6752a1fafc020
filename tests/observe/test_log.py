"""The log: one JSON object a line, and nobody's data in it."""

import io
import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.model.exchange import Outcome
from bff.model.trace import Trace
from bff.observe.events import AddressChanged, Answered, Attempted, Refreshed, notify_all
from bff.observe.log import JsonFormatter, log_events, log_to_stderr, logger, redact_requests


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
    cache="miss",
    late=True,
    trace=Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True),
)


def test_an_answer_is_told_with_its_calls(caplog):
    with caplog.at_level(logging.INFO, "bff"):
        log_events(ANSWERED)
    content = json.loads(JsonFormatter().format(caplog.records[0]))
    del content["timestamp"]
    assert content == {
        "level": "info",
        "message": "answered",
        "id": "abcdefgh",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "trace_flags": "01",
        "frontend": "web",
        "view": "home",
        "method": "GET",
        "status": 200,
        "cache": "miss",
        "late": True,
        "ms": 12.3,
        "calls": {
            "a": {"outcome": "ok", "ms": 1.0},
            "b": {"outcome": "failed", "ms": 0.0, "reason": "timeout", "detail": "late"},
        },
    }


def test_what_is_of_no_view_is_told_by_its_route(caplog):
    with caplog.at_level(logging.INFO, "bff"):
        log_events(Answered("abcdefgh", "", "", 303, 0.001, {}, route="/auth/login"))
    content = json.loads(JsonFormatter().format(caplog.records[0]))
    assert (content["route"], content["status"]) == ("/auth/login", 303)
    assert "view" not in content


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (AddressChanged("users", "http://users.internal", "open"), ["address open"]),
        (Refreshed("shop", "away"), ["provider away"]),
        (Refreshed("shop", "ok"), []),
        (Attempted("users", "http://users.internal", "GET", "first", 0, 200, "", 0.1), []),
    ],
)
def test_what_is_no_news_has_no_line(event, lines, caplog):
    with caplog.at_level(logging.INFO, "bff"):
        log_events(event)
    assert [each.getMessage() for each in caplog.records] == lines


def test_an_observer_that_fails_disturbs_nobody(caplog):
    heard = []

    def fails(_event):
        raise ValueError("S3CRET")

    notify_all([fails, heard.append])(ANSWERED)
    assert heard == [ANSWERED]
    (record,) = caplog.records
    written = JsonFormatter().format(record)
    assert "ValueError" in written
    assert "S3CRET" not in written


@pytest.fixture
def restored():
    kept = logger.handlers[:], logger.level, logger.propagate
    levels = {name: logging.getLogger(name).level for name in ("httpx", "httpcore")}
    yield
    logging.getLogger("gunicorn.error").removeFilter(redact_requests)
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
    log_events(ANSWERED)
    logging.getLogger("httpx").info("GET http://inner/?token=S3CRET")
    logger.handlers[0].flush()
    (written,) = stream.getvalue().splitlines()
    assert json.loads(written)["view"] == "home"


@pytest.mark.usefixtures("restored")
def test_what_a_library_warns_of_is_a_line_too_and_has_no_message_of_an_exception(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log_to_stderr()
    try:
        int("S3CRET")
    except ValueError:
        logging.getLogger("library").exception("it went wrong")
    logger.handlers[0].flush()
    content = json.loads(stream.getvalue())
    assert (content["message"], content["error"]) == ("it went wrong", "ValueError")
    assert "S3CRET" not in stream.getvalue()


@pytest.mark.usefixtures("restored")
def test_who_has_said_where_libraries_write_is_left_alone(monkeypatch):
    stream, own = io.StringIO(), logging.NullHandler()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logging.getLogger(), "handlers", [own])
    log_to_stderr()
    logging.getLogger("library").error("it went wrong")
    logger.handlers[0].flush()
    assert logging.getLogger().handlers == [own]
    assert stream.getvalue() == ""


def of_server(message, *args, thread="ThreadPoolExecutor-0_0", exc_info=None):
    record = logging.makeLogRecord(
        {"msg": message, "args": args, "threadName": thread, "exc_info": exc_info}
    )
    assert redact_requests(record)
    return logging.Formatter("%(message)s").format(record)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("Invalid HTTP request line: 'GET /auth/callback?code=S3CRET'", "request line: ..."),
        ('Invalid HTTP Header: "S3CRET\'"', "Header: ..."),
        ("Invalid chunk size: b'S3CRET'", "chunk size: ..."),
        ("Request Line is too large (9000 > 8190)", "too large (9000 > 8190)"),
    ],
)
def test_what_the_server_refuses_is_told_without_quoting_it(written, told):
    line = of_server(f"Invalid request from ip=192.0.2.1: {written}")
    assert line.startswith("Invalid request from ip=192.0.2.1: ")
    assert line.endswith(told)
    assert "S3CRET" not in line


def raised():
    try:
        int("S3CRET")
    except ValueError:
        return sys.exc_info()


def test_what_fails_in_the_server_is_told_by_its_place_and_without_a_query():
    line = of_server("Error handling %s %s", "GET", "/x?code=S3CRET", exc_info=raised())
    assert line.startswith("Error handling GET /x...\nValueError\n")
    assert "test_log.py" in line
    assert "S3CRET" not in line


def test_what_the_servers_main_thread_says_is_left_as_it_is():
    line = of_server("Exception in %r", "boot", thread="MainThread", exc_info=raised())
    assert line.startswith("Exception in 'boot'\nTraceback")
    assert "ValueError: invalid literal" in line
