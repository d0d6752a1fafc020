"""The circuit breaker, call by call: a script of what happens, and the states it goes through."""

import pytest

from bff.model.policy import Break
from bff.upstream.breaker import Breaker

POLICY = Break(failures=0.5, of=4, within=10.0, slow=1.0, open=5.0, most=15.0, probes=2)


def play(breaker, script, now=0.0):
    """Play calls that end at once: `.` well, `x` failed, `s` slow, `?` given up."""
    for each in script:
        era = breaker.enter(now)
        took = 2.0 if each == "s" else 0.1
        breaker.leave(era, now, took, failed=None if each == "?" else each == "x")
    return breaker.state


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("", "closed"),
        ("xxx", "closed"),  # too few to tell
        ("xxxx", "open"),
        ("..xx", "open"),
        ("xx..", "closed"),  # it was well when the fourth was known
        ("x...x", "closed"),
        ("xx..xx", "open"),  # of the last four
        ("..ss", "open"),  # a slow reply is a failure
        ("..s?", "closed"),  # given up says nothing
        ("x?x?x?x", "open"),
        ("...x...x...x", "closed"),
    ],
)
def test_the_share_of_failures_opens_it(script, state):
    assert play(Breaker(POLICY), script) == state


def test_what_is_long_ago_does_not_count():
    breaker = Breaker(POLICY)
    play(breaker, "xxx", now=0.0)
    assert play(breaker, "x", now=10.5) == "closed"
    assert play(breaker, "xxx", now=11.0) == "open"


def test_slow_is_no_failure_where_it_is_not_declared():
    assert play(Breaker(Break(of=4)), "ssss") == "closed"


def test_what_was_given_up_when_it_was_slow_already_has_failed():
    breaker = Breaker(POLICY)
    for took in (0.5, 1.5, 1.5, 1.5, 1.5):  # the first was a loser of two, and not slow
        breaker.leave(breaker.enter(0.0), 0.0, took, failed=None)
    assert breaker.state == "open"


def test_while_it_is_open_nothing_is_admitted():
    breaker = Breaker(POLICY)
    play(breaker, "xxxx", now=1.0)
    assert not breaker.admits(1.0)
    assert not breaker.admits(5.9)
    assert breaker.opens_in(2.0) == 4.0
    assert breaker.admits(6.0)
    assert breaker.opens_in(7.0) == 0.0


def test_a_few_probe_and_when_they_are_well_it_closes():
    breaker = Breaker(POLICY)
    play(breaker, "xxxx")
    first = breaker.enter(5.0)
    assert breaker.state == "half_open"
    second = breaker.enter(5.0)
    assert not breaker.admits(5.0), "two probes are out"
    breaker.leave(first, 5.1, 0.1, failed=False)
    assert not breaker.admits(5.1), "and two are enough"
    breaker.leave(second, 5.2, 0.1, failed=False)
    assert breaker.state == "closed"
    assert play(breaker, "xxx", now=6.0) == "closed", "it begins anew"


def test_a_probe_that_is_given_up_makes_room_for_another():
    breaker = Breaker(POLICY)
    play(breaker, "xxxx")
    probes = [breaker.enter(5.0), breaker.enter(5.0)]
    breaker.leave(probes[0], 5.1, 0.1, failed=None)
    assert breaker.admits(5.1)


def test_each_time_the_probes_fail_it_stays_open_for_longer_up_to_a_bound():
    breaker, now = Breaker(POLICY), 0.0
    play(breaker, "xxxx")
    for wait in (5.0, 10.0, 15.0, 15.0):
        assert breaker.opens_in(now) == wait
        now += wait
        play(breaker, "x", now)
        assert breaker.state == "open"
    assert breaker.opened == 5
    play(breaker, "..", now + 15.0)
    assert breaker.state == "closed"
    play(breaker, "xxxx", now + 15.0)
    assert breaker.opens_in(now + 15.0) == 5.0, "it was well again in between"


def test_calls_of_an_earlier_state_tell_nothing_of_this_one():
    breaker = Breaker(POLICY)
    old = [breaker.enter(0.0) for _ in range(6)]
    for era in old[:4]:
        breaker.leave(era, 0.1, 0.1, failed=True)
    assert breaker.state == "open"
    probe = breaker.enter(5.1)
    breaker.leave(old[4], 5.2, 5.0, failed=True)
    assert breaker.state == "half_open"
    breaker.leave(probe, 5.3, 0.1, failed=False)
    breaker.leave(old[5], 5.3, 5.0, failed=False)
    assert breaker.state == "half_open", "one probe was well, and no more"
