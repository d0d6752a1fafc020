"""The shop's services with a state: carts, and the orders that are made of them."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bff.dev.recordings.answerer import replay_all
from bff.dev.recordings.match import RequestKey
from bff.dev.recordings.replay_cursor import replay_cursors
from bff.dev.shop.recordings import shop_recordings
from bff.dev.stubs.stub import StubServices

ORDER = {"customer": "grace", "address": {"city": "Arlington"}, "payment": "card"}
LINE = {"product_id": "p-100126", "quantity": 2}


@pytest.fixture
def ask():
    """What a service answers: `ask("orders", "GET", "/carts/ada")`."""
    with (
        StubServices(replay_all(shop_recordings(), lambda _: 0.0)) as services,
        httpx.Client() as client,
    ):

        def send(service, method, path, body=None, key=None):
            headers = {"Idempotency-Key": key} if key else {}
            return client.request(method, services.urls[service] + path, json=body, headers=headers)

        yield send


def test_everybody_has_a_cart_of_their_own_which_begins_as_recorded(ask):
    assert len(ask("orders", "GET", "/carts/ada").json()["items"]) == 2
    assert ask("orders", "POST", "/carts/grace/items", LINE).status_code == 201
    assert ask("orders", "POST", "/carts/grace/items", LINE).json()["quantity"] == 4
    assert ask("orders", "PUT", "/carts/grace/items/p-100126", {"quantity": 3}).status_code == 200
    cart = ask("orders", "GET", "/carts/grace").json()
    (line,) = cart["items"]
    assert (line["quantity"], cart["total_cents"]) == (3, 3 * line["unit_price_cents"])
    assert len(ask("orders", "GET", "/carts/ada").json()["items"]) == 2
    assert ask("orders", "DELETE", "/carts/grace/items/p-100126").status_code == 204
    assert ask("orders", "GET", "/carts/grace").json()["items"] == []


def test_what_is_not_there_is_404(ask):
    unknown = {"product_id": "p-999999", "quantity": 1}
    assert ask("orders", "POST", "/carts/grace/items", unknown).status_code == 404
    assert ask("orders", "PUT", "/carts/grace/items/p-100126", {"quantity": 3}).status_code == 404


def test_an_order_is_found_wherever_orders_are(ask):
    before = ask("orders", "GET", "/orders?customer=grace&page=1&limit=10").json()
    ask("orders", "POST", "/carts/grace/items", LINE)
    order = ask("orders", "POST", "/orders", ORDER).json()
    assert ask("orders", "GET", "/carts/grace").json()["items"] == []
    listed = ask("orders", "GET", "/orders?customer=grace&page=1&limit=10").json()
    assert listed["items"] == [order, *before["items"]]
    assert listed["total"] == before["total"] + 1
    latest = ask("orders", "GET", "/orders?customer=grace&limit=2").json()["items"]
    assert latest == listed["items"][:2]
    found = ask("orders", "GET", "/orders?customer=grace&status=delivered&page=1&limit=10").json()
    assert order not in found["items"]
    assert ask("orders", "GET", f"/orders/{order['id']}").json() == order
    access = f"/orders/{order['id']}/access?customer="
    assert ask("orders", "GET", f"{access}grace").json() == {"allowed": True}
    assert ask("orders", "GET", f"{access}ada").status_code == 404
    told = ask("notifications", "GET", f"/inbox/grace?order={order['id']}").json()["items"]
    assert told[0]["title"] == "We have your order"
    reviewed = "/reviews?author=grace&product=p-100126"
    assert ask("reviews", "GET", reviewed).json() == {"items": []}


def test_of_a_key_there_is_one_order_however_often_and_from_however_many_it_is_sent(ask):
    ask("orders", "POST", "/carts/grace/items", LINE)
    with ThreadPoolExecutor(4) as threads:
        sent = [threads.submit(ask, "orders", "POST", "/orders", ORDER, "k") for _ in range(8)]
        assert len({each.result().json()["id"] for each in sent}) == 1
    refused = ask("orders", "POST", "/orders", ORDER, "another")
    assert (refused.status_code, refused.json()["title"]) == (422, "The cart is empty")


def test_the_catalog_has_any_list_of_products(ask):
    found = ask("catalog", "GET", "/products?ids=p-100001,p-999999,p-100320&fields=card")
    assert [each["id"] for each in found.json()["items"]] == ["p-100001", "p-100320"]
    assert found.headers["X-Catalog-Version"]


def test_a_list_is_as_it_was_recorded(ask):
    target = "/products?ids=p-100126,p-100041&fields=card"
    entry = replay_cursors(shop_recordings())["catalog"].next(RequestKey.target("GET", target))
    assert ask("catalog", "GET", target).json() == json.loads(entry.content)
