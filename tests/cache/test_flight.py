"""Flights: one for all who want the same, and nobody is left waiting for what has ended."""

from threading import Barrier, Thread

from bff.cache.flight import Flights


def test_the_first_starts_it_and_the_others_wait():
    flights = Flights()
    assert flights.join("key", "ada", 0.0, 5.0)
    assert not flights.join("key", "bob", 1.0, 6.0)
    assert flights.join("other", "eve", 1.0, 6.0)
    assert flights.under_way("key", 1.0)
    assert flights.land("key") == ["ada", "bob"]
    assert not flights.under_way("key", 1.0)
    assert flights.land("key") == []


def test_who_leaves_is_not_told_and_the_flight_goes_on():
    flights = Flights()
    flights.join("key", "ada", 0.0, 5.0)
    flights.join("key", "bob", 0.0, 5.0)
    flights.leave("key", "ada")
    flights.leave("key", "nobody")
    assert not flights.join("key", "eve", 0.0, 5.0)
    assert flights.land("key") == ["bob", "eve"]
    flights.leave("key", "bob")


def test_nobody_joins_one_that_was_lost_and_those_who_wait_are_told_by_the_next():
    flights = Flights()
    flights.join("key", "ada", 0.0, 5.0)
    assert flights.join("key", "bob", 5.0, 9.0)
    assert flights.land("key") == ["ada", "bob"]


def test_everybody_is_told_exactly_once():
    flights, told, barrier = Flights(), [], Barrier(8)

    def work(name):
        barrier.wait()
        for turn in range(500):
            waiter = (name, turn)
            if flights.join("key", waiter, 0.0, 9.0):
                told.extend(flights.land("key"))

    threads = [Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == sorted((name, turn) for name in range(8) for turn in range(500))
