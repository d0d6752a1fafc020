"""Computed heads: headers and locations of answers, cached, in batches, and answered again."""

import pytest

from bff.cache.cache import Cache
from bff.dev.stubs.stub import StubReply
from bff.model.principal import Principal

ADA = Principal("https://id.example", "ada")
LIST = """
get: /orders
respond: {X-Total-Count: page.total}
calls: {page: {get: shop:/orders}}
shape: page.items
"""
CACHED = LIST + "cache: {ttl: 1m, tags: [orders]}\n"
CREATE = """
post: /orders
answer: {status: 303, location: "/web/orders/{order.id}"}
respond: {X-Order: order.id}
calls: {order: {post: shop:/orders}}
"""
GO = 'get: /go\nanswer: {status: 303, location: "{params.to}"}\nparams: {to: {}}\n'
HEADERS = {"Host": "shop.example", "X-CSRF": "1"}


def shop(request):
    return StubReply.json({"total": 2, "items": [1, 2], "id": len(request.target)})


def test_computed_headers_are_cached_with_the_page(site):
    made = site(CACHED, shop=shop, cache=Cache(1_000_000))
    first, second = made.get("/web/orders"), made.get("/web/orders")
    assert "hit" in second.headers["Cache-Status"]
    assert first.headers["X-Total-Count"] == second.headers["X-Total-Count"] == "2"
    known = {"If-None-Match": second.headers["ETag"]}
    unchanged = made.app.test_client().get("/web/orders", headers=HEADERS | known)
    assert (unchanged.status_code, unchanged.headers["X-Total-Count"]) == (304, "2")


def test_a_part_of_a_batch_has_the_headers_of_its_view(site):
    made = site(LIST, GO, shop=shop, principal=lambda *_: ADA, batch=3)
    parts = {"requests": {"list": "/orders", "go": "/go?to=/web/orders"}}
    reply = made.app.test_client().post("/web/_batch", json=parts, headers=HEADERS)
    found = reply.json["responses"]
    assert found["list"]["headers"]["x-total-count"] == "2"
    assert found["go"]["status"] == 303
    assert found["go"]["headers"]["location"] == "/web/orders"
    assert "body" not in found["go"]


def test_a_redirect_is_answered_again_for_its_idempotency_key(site):
    made = site(CREATE, shop=shop, principal=lambda *_: ADA)
    client = made.app.test_client()
    for again in (False, True):
        reply = client.post("/web/orders", headers=HEADERS | {"Idempotency-Key": "k1"})
        assert (reply.status_code, reply.headers["Location"]) == (303, "/web/orders/7")
        assert reply.headers["X-Order"] == "7"
        assert ("Idempotency-Replayed" in reply.headers) is again
    assert len(made.stubs.requests()) == 1


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("/web/orders", 303),
        ("http://shop.example/web/orders", 303),
        ("https://shop.example/web/orders", 502),
        ("http://shop.example.evil/", 502),
        ("http://shop.example@evil/", 502),
        ("//evil.example", 502),
        ("/%5cevil.example", 502),
        ("/web/../auth/logout", 502),
        ("/x%0d%0aSet-Cookie:a=b", 502),
        ("data:text/html,x", 502),
        ("", 502),
    ],
)
def test_a_value_of_the_client_leads_to_this_site_alone(site, to, status):
    made = site(GO, shop=shop)
    client = made.app.test_client()
    reply = client.get("/web/go", query_string={"to": to}, headers=HEADERS)
    assert reply.status_code == status
    assert ("Location" in reply.headers) is (status == 303)
    assert "Set-Cookie" not in reply.headers


def test_bytes_are_answered_unchanged_cached_and_no_part_of_a_batch(site):
    picture = bytes(range(256))

    def photos(_request):
        return StubReply(200, (("Content-Type", "image/png"),), picture)

    view = "get: /p\nanswer_type: image/png\ncache: {ttl: 1m, tags: [p]}\n"
    view += "call: {get: photos:/p, decode: bytes}\n"
    made = site(view, photos=photos, cache=Cache(1_000_000), principal=lambda *_: ADA, batch=2)
    for _ in range(2):
        reply = made.get("/web/p")
        assert (reply.data, reply.headers["Content-Type"]) == (picture, "image/png")
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert len(made.stubs.requests()) == 1
    parts = {"requests": {"p": "/p"}}
    batch = made.app.test_client().post("/web/_batch", json=parts, headers=HEADERS)
    assert batch.json["responses"]["p"]["status"] == 404
