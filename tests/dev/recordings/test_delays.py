"""Things that are done a while later, or taken back: nothing of either is left behind."""

from threading import Event, Thread

import pytest

from bff.dev.recordings.delays import Delays
from bff.dev.recordings.virtual import VirtualClock


def test_what_is_taken_back_before_or_after_it_is_due_leaves_nothing_behind():
    delays, done, never = Delays(), Event(), []
    take_back = [delays.after(0.001, done.set), delays.after(60, lambda: never.append(1))]
    assert done.wait(10)
    for each in take_back * 2:
        each()
    assert not delays._shared.actions
    assert not never


def test_in_virtual_time_likewise():
    clock, done = VirtualClock(), []
    take_back = [clock.after(1, lambda: done.append(1)), clock.after(2, lambda: done.append(2))]
    assert clock.leap(1.5)
    for each in take_back * 2:
        each()
    assert not clock.leap(9)
    assert (done, clock.now()) == ([1], 9)
    assert not clock._actions


def test_a_thread_that_cannot_be_started_is_started_for_the_next(monkeypatch):
    delays, done = Delays(), Event()

    def refuse(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            delays.after(0.001, lambda: None)
    delays.after(0.001, done.set)
    assert done.wait(10)
