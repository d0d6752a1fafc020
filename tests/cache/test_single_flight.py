"""Single flight: one for all who want the same, and no waiter is left with what has ended."""

from threading import Barrier, Thread

import pytest

from bff.cache.single_flight import SingleFlight


@pytest.fixture
def got():
    """What was delivered: to whom, what, and whether it was started for them."""
    return []


@pytest.fixture
def flights(got):
    return SingleFlight(lambda *delivered: got.append(delivered))


def test_the_first_starts_it_and_the_others_wait(flights, got):
    assert flights.join("key", "ada", 0.0, 5.0)
    assert not flights.join("key", "bob", 1.0, 6.0)
    assert flights.join("other", "eve", 1.0, 6.0)
    assert len(flights) == 2
    flights.complete("key", "done")
    assert got == [("ada", "done", True), ("bob", "done", False)]
    flights.complete("key", "again")
    assert len(got) == 2
    assert len(flights) == 1


def test_who_leaves_is_not_told_and_the_flight_goes_on(flights, got):
    flights.join("key", "ada", 0.0, 5.0)
    flights.join("key", "bob", 0.0, 5.0)
    assert not flights.leave("key", "ada")
    assert not flights.leave("key", "nobody")
    assert not flights.leave("other", "ada")
    assert not flights.join("key", "eve", 0.0, 5.0)
    assert not flights.leave("key", "bob")
    assert flights.leave("key", "eve")
    assert not flights.join("key", "zoe", 0.0, 5.0)
    flights.complete("key", 1)
    assert got == [("zoe", 1, True)]


def test_nobody_joins_one_that_was_lost_and_those_who_wait_are_told_by_the_next(flights, got):
    flights.join("key", "ada", 0.0, 5.0)
    assert flights.join("key", "bob", 5.0, 9.0)
    flights.complete("key", 1)
    assert [each[0] for each in got] == ["ada", "bob"]


def test_work_that_cannot_begin_lands_for_all_who_have_joined_meanwhile(flights, got):
    def work():
        assert not flights.start("key", "bob", work, str)
        raise RuntimeError("can't start new thread")

    assert flights.start("key", "ada", work, str)
    assert got == [
        ("ada", "can't start new thread", True),
        ("bob", "can't start new thread", False),
    ]
    assert len(flights) == 0
    assert flights.join("key", "eve")  # the next one starts anew


def test_everybody_is_told_exactly_once(got):
    flights, barrier = SingleFlight(lambda waiter, *_: got.append(waiter)), Barrier(8)

    def work(name):
        barrier.wait()
        for turn in range(500):
            if flights.join("key", (name, turn), 0.0, 9.0):
                flights.complete("key", None)

    threads = [Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted((name, turn) for name in range(8) for turn in range(500))
