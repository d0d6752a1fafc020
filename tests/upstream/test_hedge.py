"""When a second request is worth sending."""

import pytest

from bff.model.policy import Hedge
from bff.upstream.hedge import Latencies, hedge_after


def known(durations):
    latencies = Latencies()
    for each in durations:
        latencies.add(each)
    return latencies


@pytest.mark.parametrize(
    ("durations", "p95"),
    [
        ([], None),
        ([0.1] * 19, None),
        ([0.1] * 20, 0.1),
        ([0.1] * 94 + [9.0] * 6, 9.0),
        ([0.1] * 95 + [9.0] * 5, 0.1),
        ([9.0] * 100 + [0.1] * 100, 0.1),  # of the last hundred
    ],
)
def test_the_percentile(durations, p95):
    assert known(durations).p95() == p95


def test_the_percentile_follows_what_comes_in():
    latencies = known([0.1] * 100)
    assert latencies.p95() == 0.1
    for _ in range(50):
        latencies.add(2.0)
    assert latencies.p95() == 2.0


@pytest.mark.parametrize(
    ("policy", "after"),
    [(None, None), (Hedge(), 0.2), (Hedge(0.05), 0.05), (Hedge(never=True), None)],
)
def test_the_delay(policy, after):
    assert hedge_after(policy, known([0.2] * 30)) == after


def test_without_enough_known_there_is_no_hedge():
    assert hedge_after(Hedge(), known([0.2] * 3)) is None
    assert hedge_after(Hedge(), None) is None
