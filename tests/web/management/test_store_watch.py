"""The watch over the sessions' store: one thread asks now and then, and changes are logged."""

import logging
import threading

import pytest

from bff.web.management.store_watch import StoreWatch


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_is_asked_every_few_seconds_and_changes_are_logged(caplog: pytest.LogCaptureFixture):
    reasons = iter(["", "Redis at x: full", "Redis at x: full", "Redis at x: replica", ""])
    clock = Time()
    watch = StoreWatch(lambda: next(reasons), clock)
    caplog.set_level(logging.INFO, "bff")
    logging.getLogger("bff").propagate = True
    told = []
    for _ in range(5):
        told.append(watch.reason())
        assert watch.reason() == told[-1], "it is not asked each time"
        clock.now += 2.0
    assert told == ["", "Redis at x: full", "Redis at x: full", "Redis at x: replica", ""]
    messages = [each.getMessage() for each in caplog.records]
    assert messages == [
        "session store unavailable: Redis at x: full",
        "session store unavailable: Redis at x: replica",
        "session store available again",
    ]


def test_one_thread_asks_and_the_others_are_not_held():
    clock, asked, go_on = Time(), threading.Event(), threading.Event()

    def unready() -> str:
        if clock.now:
            asked.set()
            assert go_on.wait(5)
        return f"at {clock.now}"

    watch = StoreWatch(unready, clock)
    assert watch.reason() == "at 0.0"
    clock.now = 3.0
    slow = threading.Thread(target=watch.reason)
    slow.start()
    assert asked.wait(5)
    assert watch.reason() == "at 0.0"
    go_on.set()
    slow.join(5)
    assert watch.reason() == "at 3.0"
