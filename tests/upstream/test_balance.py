"""Which address is asked, and which is left out."""

import pytest

from bff.model.policy import Eject
from bff.upstream.balance import Outliers, choose


@pytest.mark.parametrize(
    ("policy", "outstanding", "among", "turn", "chosen"),
    [
        ("round_robin", [9, 0, 0], [0, 1, 2], 0, 0),
        ("round_robin", [9, 0, 0], [0, 1, 2], 1, 1),
        ("round_robin", [9, 0, 0], [0, 1, 2], 5, 2),
        ("round_robin", [0, 0, 0], [0, 2], 1, 2),
        ("least_outstanding", [2, 1, 3], [0, 1, 2], 0, 1),
        ("least_outstanding", [2, 1, 3], [0, 2], 7, 0),
        ("least_outstanding", [0, 0, 0], [0, 1, 2], 0, 0),  # of equals, in turn
        ("least_outstanding", [0, 0, 0], [0, 1, 2], 1, 1),
        ("least_outstanding", [0, 0, 5], [0, 1, 2], 2, 0),
    ],
)
def test_the_choice(policy, outstanding, among, turn, chosen):
    assert choose(policy, outstanding, among, turn) == chosen


POLICY = Eject(after=3, time=10.0, most=25.0, share=0.5)


def fail(outliers, address, now, times=3):
    return [outliers.record(address, now, failed=True) for _ in range(times)][-1]


def test_consecutive_failures_eject_an_address_for_a_while():
    outliers = Outliers(POLICY, 2)
    assert not fail(outliers, 0, 0.0, times=2)
    assert outliers.record(0, 0.0, failed=True)
    assert outliers.ejected(0, 9.9)
    assert not outliers.ejected(0, 10.0)


def test_one_that_is_well_in_between_breaks_the_row():
    outliers = Outliers(POLICY, 2)
    fail(outliers, 0, 0.0, times=2)
    outliers.record(0, 0.0, failed=False)
    assert not fail(outliers, 0, 0.0, times=2)


def test_the_time_grows_up_to_a_bound_and_is_forgiven_slowly():
    outliers, now = Outliers(POLICY, 2), 0.0
    for time in (10.0, 20.0, 25.0, 25.0):
        assert fail(outliers, 0, now)
        assert outliers.ejected(0, now + time - 0.1)
        assert not outliers.ejected(0, now + time)
        now += time
    for _ in range(10):  # well for as long again, and again
        now += 10.0
        outliers.record(0, now, failed=False)
    assert fail(outliers, 0, now)
    assert not outliers.ejected(0, now + 10.0)


@pytest.mark.parametrize(
    ("addresses", "share", "most"),
    [(1, 1.0, 0), (2, 0.5, 1), (3, 0.5, 1), (10, 0.3, 3), (4, 0.1, 0)],
)
def test_never_more_than_the_declared_share_is_out(addresses, share, most):
    outliers = Outliers(Eject(after=3, share=share), addresses)
    for address in range(addresses):
        fail(outliers, address, 0.0)
    assert sum(outliers.ejected(address, 1.0) for address in range(addresses)) == most


def test_what_an_ejected_address_still_answers_changes_nothing():
    outliers = Outliers(POLICY, 2)
    fail(outliers, 0, 0.0)
    assert not outliers.record(0, 1.0, failed=False)
    assert not fail(outliers, 0, 1.0)
    assert outliers.ejected(0, 9.0)
