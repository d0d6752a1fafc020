"""The shop's first page, tested as its team would: with the plugin, on the shop's recordings."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bff.testing import Unmatched, assert_outcomes, outcomes_of


def test_a_pro_customer_is_shown_orders_and_advice(client_for):
    page = client_for("ada", plan="pro", tenant="acme").get("/web/home")
    assert page.status_code == 200
    assert page.json["user"]["name"] == "Ada Lovelace"
    assert len(page.json["orders"]) == 5
    assert_outcomes(page, user="ok", orders="ok", product="ok", recommended="ok", reviews="ok")


def test_without_orders_the_page_is_there_all_the_same(client_for, upstream):
    upstream.orders.get("/orders").respond(503)
    page = client_for("ada", tenant="acme").get("/web/home")
    assert page.status_code == 200
    assert page.json["orders"] == []
    assert_outcomes(page, user="ok", orders="fallback status")


def test_a_badge_that_is_late_is_no_badge(client_for, upstream):
    upstream.notifications.get(path__startswith="/inbox").mock(side_effect=httpx.ReadTimeout)
    page = client_for("ada", tenant="acme").get("/mobile/home")
    assert page.json["unread"] == 0
    assert_outcomes(page, unread="fallback timeout")


def test_without_the_user_there_is_no_page(client_for, upstream):
    upstream.users.get("/users/ada").respond(500)
    page = client_for("ada", tenant="acme").get("/web/home")
    assert page.status_code == 502
    assert page.json["call"] == "user"


def test_the_service_is_asked_with_the_token_of_who_asks(client_for, upstream):
    route = upstream.users.get("/users/ada").respond(json={"name": "Ada", "plan": "free"})
    assert client_for("ada", tenant="north").get("/mobile/home").json["name"] == "Ada"
    assert route.call_count == 1
    assert route.calls[0].request.headers["Authorization"] == "Bearer token-of-ada"
    assert route.calls[0].request.headers["X-Tenant"] == "north"


def test_nobody_is_asked_to_sign_in_first(client_for):
    assert client_for().get("/web/home").status_code == 401


def test_what_is_not_recorded_fails_the_test_and_says_who_asked(client_for):
    with pytest.raises(Unmatched) as failed:
        client_for().get("/web/search?q=zebra")
    assert "config/views/search.yaml:" in str(failed.value)
    assert "view `search` of `web`, call `call`" in str(failed.value)
    assert "nearest" in str(failed.value)


def test_a_batch_is_signed_in_as_well_and_fails_if_anything_of_it_is_not_recorded(client_for):
    client = client_for("ada", tenant="acme")
    wanted = {"home": "/home", "orders": "/orders"}
    parts = client.post("/mobile/_batch", json={"requests": wanted}).json["responses"]
    assert [parts[name]["status"] for name in wanted] == [200, 200]
    assert parts["home"]["body"]["name"] == "Ada Lovelace"
    wanted["search"] = "/search?q=zebra"
    with pytest.raises(Unmatched, match="q=zebra"):
        client.post("/mobile/_batch", json={"requests": wanted})


def test_a_kept_page_is_asked_for_again_once_it_is_old(client_for, upstream, bff_clock):
    route = upstream.catalog.get("/search").respond(
        json={"items": [], "total": 0, "facets": {"brands": [], "categories": []}}
    )
    client = client_for()
    for _ in range(3):
        assert client.get("/web/search?q=lamp").status_code == 200
    assert route.call_count == 1
    bff_clock.advance(24 * 3600)
    client.get("/web/search?q=lamp")
    assert route.call_count == 2


def test_many_threads_ask_at_once(client_for, upstream):
    upstream.orders.get("/orders", params={"customer": "grace"}).respond(503)

    def ask(number):
        who, tenant = (("ada", "acme"), ("grace", "navy"))[number % 2]
        page = client_for(who, tenant=tenant).get("/mobile/home")
        assert page.status_code == 200, page.text
        return who, page.json["name"], outcomes_of(page)["orders"]

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(ask, range(40)))
    assert found == {("ada", "Ada Lovelace", "ok"), ("grace", "Grace Hopper", "fallback")}


def test_an_outcome_that_is_another_is_told_with_all_of_them(client_for):
    page = client_for("ada", tenant="acme").get("/mobile/home")
    with pytest.raises(AssertionError) as failed:
        assert_outcomes(page, orders="fallback", none="ok")
    assert "orders: expected fallback, was ok" in str(failed.value)
    assert "none: expected ok, was no call" in str(failed.value)
    assert "BFF-Calls: user=ok" in str(failed.value)


def test_a_service_that_is_misspelt_is_said_to_be_none(upstream):
    with pytest.raises(AttributeError, match="did you mean `orders`"):
        upstream.order.get("/x")
