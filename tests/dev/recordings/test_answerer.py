"""Stubs that answer from recordings, and the command that runs them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import httpx
import pytest

from bff.dev.recordings.answerer import read_latency, replay
from bff.dev.recordings.match import RequestKey
from bff.dev.recordings.recording import RecordedEntry, Recording
from bff.dev.recordings.replay_cursor import ReplayCursor
from bff.dev.stubs.stub import StubReply, StubRequest

ROOT = Path(__file__).parents[3]
HOLD = 20.0

HEADERS = (("Content-Type", "text/plain"), ("Content-Encoding", "gzip"), (":status", "200"))
ENTRY = RecordedEntry(
    0, "GET", "/a", RequestKey.target("GET", "/a?x=1").query, b"", 200, HEADERS, b"hi", 7.0
)


def test_a_recording_answers_without_the_headers_that_no_longer_hold():
    cursor = ReplayCursor(Recording("users", Path("users.har"), (ENTRY,)))
    answer = replay(cursor, read_latency("recorded", Random()))
    reply = answer(StubRequest("users", "GET", "/a?x=1", "/a", "x=1"))
    assert reply == StubReply(200, [("Content-Type", "text/plain")], b"hi", 0.007)


def test_what_is_not_recorded_is_501_with_the_nearest(capsys):
    cursor = ReplayCursor(Recording("users", Path("users.har"), (ENTRY,)))
    answer = replay(cursor, read_latency("0ms", Random()))
    reply = answer(StubRequest("users", "GET", "/a?x=2", "/a", "x=2"))
    problem = json.loads(reply.body)
    assert reply.status == 501
    assert problem["target"] == "/a?x=2"
    assert problem["nearest"] == [
        {
            "entry": "log.entries[0]",
            "request": "GET /a?x=1",
            "differs": ["query: asked x=2, recorded x=1"],
        }
    ]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("users.har: no recorded reply for GET /a?x=2; nearest is")


def test_latencies_are_read():
    assert read_latency("recorded", Random())(ENTRY) == 0.007
    assert read_latency("50ms", Random())(ENTRY) == 0.05
    assert 0.02 <= read_latency("20ms-80ms", Random(1))(ENTRY) <= 0.08
    for wrong in ("", "50", "fast", "80ms-20ms", "-5ms"):
        with pytest.raises(ValueError, match="should"):
            read_latency(wrong, Random())


RUN = "import sys; from bff.cli.stub import command; command(sys.argv[1:])"


def run_command(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-W", "error", "-c", RUN, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_the_shop_until_it_is_stop_requested(number):
    with run_command("--json", "--latency", "0ms", "--control-port", "0") as process:
        told = json.loads(process.stdout.readline())
        users = told["services"]["users"]["url"] + "/users/ada"
        assert httpx.get(users).json()["name"] == "Ada Lovelace"
        assert httpx.get(told["control"] + "/services").json()["users"]["state"] == "up"
        process.send_signal(number)
        assert process.wait(HOLD) == 0
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    "arguments",
    [["--recordings", "tests"], ["--port", "users"], ["--port", "ghost=1"], ["--latency", "slow"]],
)
def test_the_command_refuses_what_it_cannot_do(arguments):
    with run_command(*arguments) as process:
        assert process.wait(HOLD) == 2
        assert process.stderr.read().startswith("bff stub: ")


def test_a_service_can_be_told_to_break_its_replies():
    words = ("--json", "--latency", "0ms", "--fault", "users=empty", "--control-port", "0")
    with run_command(*words) as process:
        told = json.loads(process.stdout.readline())
        users = told["services"]["users"]["url"] + "/users/ada"
        control = told["control"] + "/services/users"
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(users)
        assert httpx.put(control, json={"fault": "truncated"}).json()["fault"] == "truncated"
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(users)
        assert httpx.put(control, json={"fault": "none"}).json()["fault"] is None
        assert httpx.get(users).status_code == 200
        assert httpx.put(control, json={"fault": "bent"}).status_code == 400
        process.send_signal(signal.SIGTERM)
        assert process.wait(HOLD) == 0


def test_the_command_lists_what_nobody_asked_for():
    with run_command("--latency", "0ms") as process:
        assert "Services, from recordings" in process.stdout.readline()
        while "Ctrl-C" not in process.stdout.readline():
            pass
        process.send_signal(signal.SIGTERM)
        said = process.stdout.read()
        assert process.wait(HOLD) == 0
        assert "users: " in said
        assert "entries unused" in said
        assert "log.entries[0]: GET /users/" in said
