"""Ends of workers: gunicorn's own lines become events."""

import inspect
import logging
import signal
from collections.abc import Iterator

import pytest
from gunicorn.arbiter import Arbiter

from bff.observe import worker_exits
from bff.observe.events import WorkerEnded
from bff.observe.worker_exits import WorkerExitFilter


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, list[WorkerEnded], list[str]]]:
    """A log as the master has it, what is observed, and the lines that are still written."""
    made, heard, written = logging.getLogger("test.master"), [], []
    watching, handler = WorkerExitFilter(heard.append), logging.Handler()
    handler.emit = lambda record: written.append(record.getMessage())
    made.addFilter(watching)
    made.addHandler(handler)
    made.setLevel(logging.INFO)
    yield made, heard, written
    made.removeFilter(watching)
    made.removeHandler(handler)


def test_the_words_are_gunicorns() -> None:
    source = inspect.getsource(Arbiter)
    for words in (worker_exits._KILLED, worker_exits._FAILED, worker_exits._STUCK):
        assert f'"{words}"' in source, words


@pytest.mark.parametrize(
    "name", [each.name for each in signal.Signals if each is not signal.SIGTERM]
)
def test_a_signal_is_the_reason(log, name):
    made, heard, written = log
    made.error("Worker (pid:%s) was sent %s! Perhaps out of memory?", 7, name)
    made.warning("Worker (pid:%s) was sent %s!", 8, name)
    assert heard == [WorkerEnded(7, name), WorkerEnded(8, name)]
    assert written == []


def test_one_that_was_stuck_is_told_apart_from_one_that_failed(log):
    made, heard, written = log
    made.critical("WORKER TIMEOUT (pid:%s)", 7)
    made.error("Worker (pid:%s) exited with code %s.", 8, 3)
    made.error("Worker (pid:%s) exited with code %s.", 7, 1)
    made.critical("WORKER TIMEOUT (pid:%s)", 9)
    made.error("Worker (pid:%s) was sent %s! Perhaps out of memory?", 9, "SIGKILL")
    made.error("Worker (pid:%s) was sent %s! Perhaps out of memory?", 7, "SIGKILL")
    assert [(each.process, each.reason) for each in heard] == [
        (8, "exit"),
        (7, "timeout"),
        (9, "timeout"),
        (7, "SIGKILL"),  # another of the same id
    ]
    assert written == ["WORKER TIMEOUT (pid:7)", "WORKER TIMEOUT (pid:9)"]


@pytest.mark.parametrize(
    "line",
    [
        ("Worker (pid:%s) was sent %s!", 7, "SIGTERM"),
        ("Worker exiting (pid: %s)", 7),
        ("Booting worker with pid: %s", 7),
        ("Worker (pid:7) was sent SIGKILL!",),
        ("Starting gunicorn",),
    ],
)
def test_what_is_expected_is_no_event(log, line):
    made, heard, written = log
    made.info(*line)
    assert heard == []
    assert len(written) == 1
