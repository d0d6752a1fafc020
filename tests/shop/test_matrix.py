"""Every view of the shop, for every frontend, with each of its services broken in each way."""

import pytest

WHERE = {"name": "Ada Lovelace", "street": "12 Mill Lane", "city": "London"}
VIEWS = {
    "add_to_cart": {"subject": "ada", "tenant": "acme", "body": {"product": "p-100126"}},
    "cart": {"subject": "ada", "tenant": "acme"},
    "change_in_cart": {
        "subject": "ada",
        "tenant": "acme",
        "params": {"id": "p-100041"},
        "body": {"quantity": 2},
    },
    "home": {"subject": "ada", "tenant": "acme", "plan": "pro"},
    "order": {"subject": "ada", "tenant": "acme", "params": {"id": "o-5038"}},
    "orders": {"subject": "ada", "tenant": "acme"},
    "place_order": {
        "subject": "ada",
        "tenant": "acme",
        "body": {"address": WHERE, "payment": "card"},
    },
    "product": {"params": {"id": "p-100126"}},
    "remove_from_cart": {"subject": "ada", "tenant": "acme", "params": {"id": "p-100041"}},
    "search": {"params": {"q": "lamp"}},
}


@pytest.mark.parametrize("view", VIEWS)
def test_whatever_breaks_each_frontend_gets_what_it_got_before(failure_matrix, view):
    cells = failure_matrix(view, snapshots=True, **VIEWS[view])
    assert {each.status for each in cells} <= {200, 201, 502, 503, 504}
    assert len({each.frontend for each in cells}) == 2


def test_every_view_is_in_the_list(bff_checked):
    assert set(VIEWS) == set(bff_checked.plans)


def test_a_service_that_never_answers_takes_its_time_of_the_view_and_not_of_the_test(
    failure_matrix,
):
    cells = {(each.frontend, each.service, each.broken): each for each in failure_matrix(
        "home", "ada", plan="pro", tenant="acme"
    )}  # fmt: skip
    late = cells["web", "orders", "timeout"]
    assert late.status == 200
    assert late.took >= 1.0
    assert "orders=fallback;reason=timeout" in late.calls
    assert late.differs == ("orders",)
    assert late.body["orders"] == []
    assert cells["web", "users", "failing"].status == 502
    assert cells["web", "users", "timeout"].status == 504
    assert "orders=fallback;reason=unreachable" in cells["web", "orders", "truncated"].calls
    assert cells["web", "orders", "empty"].differs == ("orders",)
    assert "reviews" not in {service for frontend, service, _ in cells if frontend == "mobile"}


def test_two_runs_are_the_same_to_the_millisecond_though_retries_are_spread_at_random(
    failure_matrix,
):
    one, other = (failure_matrix("product", **VIEWS["product"]) for _ in range(2))
    assert [each.took for each in one] == [each.took for each in other]
