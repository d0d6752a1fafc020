"""How many requests may be sent besides the first ones."""

import pytest

from bff.upstream.budget import ExtraBudget


@pytest.mark.parametrize(
    ("share", "requests", "most"),
    [(0.2, 0, 3), (0.2, 15, 3), (0.2, 19, 3), (0.2, 20, 4), (0.2, 100, 20), (1.0, 100, 100)],
)
def test_it_is_a_share_of_the_requests_and_never_less_than_three(share, requests, most):
    budget = ExtraBudget(share)
    assert sum(budget.take(requests) for _ in range(200)) == most
    assert budget.refused == 200 - most


def test_what_has_ended_makes_room():
    budget = ExtraBudget(0.2)
    assert [budget.take(10) for _ in range(4)] == [True, True, True, False]
    budget.give_back(2)
    assert [budget.take(10) for _ in range(3)] == [True, True, False]
