"""The shop's cart and its order form: what is written, once, and what comes back with it."""

import pytest

from bff.testing import Unmatched, assert_outcomes

LINE = {"product": "p-100126"}
WHERE = {"name": "Ada Lovelace", "street": "12 Mill Lane", "city": "London"}
ORDER = {"address": WHERE, "payment": "card"}
KEY = {"Idempotency-Key": '"k-1"'}


def test_a_cart_is_read_with_its_titles(client_for):
    page = client_for("ada", tenant="acme").get("/web/cart")
    assert [each["quantity"] for each in page.json["lines"]] == [1, 2]
    assert all(each["title"] for each in page.json["lines"])
    assert page.json["total"] == sum(
        each["price"] * each["quantity"] for each in page.json["lines"]
    )
    assert client_for("ada", tenant="acme").get("/mobile/cart").json["total"] == page.json["total"]


def test_without_the_catalog_the_cart_has_no_titles_and_the_total_all_the_same(
    client_for, upstream
):
    upstream.catalog.get("/products").respond(503)
    page = client_for("ada", tenant="acme").get("/web/cart")
    assert [each["title"] for each in page.json["lines"]] == [None, None]
    assert page.json["total"] > 0
    assert_outcomes(page, cart="ok", product="fallback status")


@pytest.mark.parametrize("frontend", ["web", "mobile"])
def test_a_cart_is_filled_ordered_and_empty_again(client_for, frontend):
    """The recording has three states of grace's cart, one after the other."""
    client = client_for("grace", tenant="navy")
    assert client.get(f"/{frontend}/cart").json["lines"] == []
    added = client.post(f"/{frontend}/cart/items", json=LINE)
    assert added.status_code == 201
    assert added.json["added"] == {"id": "p-100126", "quantity": 1}
    assert [each["id"] for each in added.json["cart"]["lines"]] == ["p-100126"]
    assert client.get(f"/{frontend}/cart").json == added.json["cart"]
    placed = client.post(f"/{frontend}/orders", json=ORDER, headers=KEY)
    assert placed.status_code == 201
    assert placed.json["order"]["id"] == "o-6002"
    assert placed.json["order"]["total"] == added.json["cart"]["total"]
    assert placed.json["cart"]["lines"] == []
    assert_outcomes(placed, order="ok")


def test_a_changed_line_brings_the_cart_along(client_for):
    changed = client_for("ada", tenant="acme").put("/web/cart/items/p-100041", json={"quantity": 2})
    assert changed.json["changed"] == {"id": "p-100041", "quantity": 2}
    assert len(changed.json["cart"]["lines"]) == 2
    removed = client_for("ada", tenant="acme").delete("/web/cart/items/p-100041")
    assert (removed.status_code, removed.json["removed"]) == (200, "p-100041")


def test_an_order_that_is_sent_twice_is_placed_once(client_for, upstream):
    route = upstream.orders.post("/orders").respond(201, json={"id": "o-1", "total_cents": 7})
    client = client_for("ada", tenant="acme")
    first, second = (client.post("/web/orders", json=ORDER, headers=KEY) for _ in range(2))
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert route.call_count == 1
    other = client.post("/web/orders", json={**ORDER, "payment": "invoice"}, headers=KEY)
    assert other.status_code == 422
    assert route.call_count == 1


def test_an_order_without_a_key_is_refused_and_sent_to_nobody(client_for, upstream):
    route = upstream.orders.post("/orders").respond(201, json={})
    assert client_for("ada", tenant="acme").post("/web/orders", json=ORDER).status_code == 400
    assert route.call_count == 0


def test_an_empty_cart_is_no_order(client_for, upstream):
    upstream.orders.post("/orders").respond(422, json={"title": "The cart is empty"})
    refused = client_for("ada", tenant="acme").post("/web/orders", json=ORDER, headers=KEY)
    assert (refused.status_code, refused.json["title"]) == (422, "The cart is empty")


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("orders", {**ORDER, "payment": "gold"}, "/payment"),
        ("orders", {**ORDER, "address": {**WHERE, "city": ""}}, "/address/city"),
        ("orders", {**ORDER, "total": 1}, ""),
        ("cart/items", {"product": "../p-1"}, "/product"),
        ("cart/items", {**LINE, "quantity": 0}, "/quantity"),
    ],
)
def test_what_is_not_as_declared_is_said_at_its_place(client_for, upstream, path, body, pointer):
    route = upstream.orders.post().respond(201, json={})
    refused = client_for("ada", tenant="acme").post(f"/web/{path}", json=body, headers=KEY)
    assert refused.status_code == 400
    assert [each["pointer"] for each in refused.json["errors"]] == [pointer]
    assert route.call_count == 0


def test_a_service_that_fails_is_asked_again_under_the_same_key(client_for, upstream):
    route = upstream.orders.post("/orders")
    route.respond(503)
    client = client_for("ada", tenant="acme")
    assert client.post("/web/orders", json=ORDER, headers=KEY).status_code == 502
    route.respond(201, json={"id": "o-1"})
    assert client.post("/web/orders", json=ORDER, headers=KEY).status_code == 201
    keys = [each.request.headers["Idempotency-Key"] for each in route.calls]
    assert len(keys) == 2
    assert len(set(keys)) == 1
    assert "k-1" not in keys[0]


def test_what_a_refreshed_part_asks_and_nobody_recorded_fails_the_test(client_for, upstream):
    upstream.orders.post("/carts/mallory/items").respond(201, json={})
    with pytest.raises(Unmatched, match="GET orders:/carts/mallory"):
        client_for("mallory", tenant="acme").post("/web/cart/items", json=LINE)


def test_a_key_of_the_one_frontend_is_none_of_the_other(client_for, upstream):
    route = upstream.orders.post("/orders").respond(201, json={"id": "o-1"})
    client = client_for("ada", tenant="acme")
    for frontend in ("web", "mobile"):
        placed = client.post(f"/{frontend}/orders", json=ORDER, headers=KEY)
        assert "Idempotency-Replayed" not in placed.headers
    assert route.call_count == 2
    assert len({each.request.headers["Idempotency-Key"] for each in route.calls}) == 2
