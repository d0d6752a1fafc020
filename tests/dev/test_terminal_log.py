"""Under development the log says what was raised, and by which line of the project's."""

import logging

import pytest
from werkzeug.test import Client

from bff.app import create_app
from bff.declare.check import check
from bff.declare.settings import Settings
from bff.dev.terminal_log import TerminalFormatter, log_for_terminal
from bff.observe.log import JsonFormatter

ROOT = "version: 1\nfrontends: {web: {access: none}}\nservices: {s: {url: 'http://127.0.0.1:1'}}\n"
VIEW = """
import bff
import json

def inner(user):
    return user["nickname"]

@bff.view(get="/page", frontends=["web"], calls={"a": {"get": "s:/a", "optional": True}})
def page(ask):
    return inner({"name": "Ada"})

def text(ask):
    return json.loads("{")
"""


@pytest.fixture
def log():
    handler = logging.StreamHandler()
    lines = []
    handler.emit = lambda record: lines.append(handler.format(record))
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("bff")
    before = logger.level
    logger.addHandler(handler)
    log_for_terminal()
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(before)


def site(folder, python):
    (folder / "views").mkdir()
    (folder / "bff.yaml").write_text(ROOT)
    (folder / "views/page.py").write_text(python)
    return Client(create_app(check(folder, {}), Settings(folder, state=folder)))


def test_an_exception_of_a_view_is_told_with_its_message_and_the_users_line_first(log, tmp_path):
    assert site(tmp_path, VIEW).get("/web/page").status_code == 500
    (text,) = [each for each in log if "unexpected" in each]
    lines = text.splitlines()
    assert lines[0].endswith("ERROR unexpected KeyError part=request")
    assert lines[1].strip() == "KeyError: 'nickname'"
    assert lines[2].strip().endswith("views/page.py:6 in inner")
    assert lines[3].strip() == 'return user["nickname"]'
    assert lines[4].strip().endswith("views/page.py:10 in page")
    assert "converse.py" not in text


def test_one_that_a_library_raised_is_told_with_the_users_line_and_its_cause(log, tmp_path):
    python = VIEW.replace("return inner(", "return text(ask) or inner(")
    assert site(tmp_path, python).get("/web/page").status_code == 500
    (text,) = [each for each in log if "unexpected" in each]
    assert "JSONDecodeError: Expecting property name" in text.splitlines()[1]
    assert text.splitlines()[2].strip().endswith("views/page.py:13 in text")
    assert "raised in" in text


def test_an_answer_is_one_line_that_can_be_read(log, tmp_path):
    site(tmp_path, VIEW.replace('user["nickname"]', "1")).get("/web/page")
    (line,) = [each for each in log if "GET" in each]
    assert line.split()[1:5] == ["GET", "/web", "page", "200"]
    assert not line.startswith("{")


def test_it_survives_an_exception_that_has_no_frame_and_whatever_is_logged():
    record = logging.makeLogRecord(
        {"msg": "x", "levelno": 20, "exc_info": (ValueError, ValueError("why"), None)}
    )
    assert TerminalFormatter().format(record).endswith("x\n  ValueError: why")
