"""Batches: several views at once, each as if it had been asked alone."""

from threading import Barrier

import pytest

from bff.cache.cache import Cache
from bff.dev.stubs.stub import StubReply
from bff.errors import CrossSite, LoginRequired
from bff.model.principal import Principal

ADA = Principal("https://id.example", "ada")
HOME = """
get: /home
timeout: 1s
params: {limit: {type: integer, default: 5, maximum: 9}}
calls:
  user: {get: users:/me}
  orders: {get: users:/orders, query: {limit: "{params.limit}"}, fallback: []}
shape: {name: user.name, orders: orders}
"""
ORDERS = """
get: /orders
timeout: 1s
calls:
  user: {get: users:/me}
  orders: {get: users:/orders, query: {limit: "5"}}
shape: {who: user.name, orders: orders}
"""
WRITE = "post: /buy\ncall: {post: users:/buy}\n"


def users(request):
    if request.path == "/me":
        return StubReply.json({"name": "Ada"})
    return StubReply.json([1, 2])


@pytest.fixture
def batch(site):
    """An app with batches, and a function that asks for one."""

    def make(*views, most=4, answer=users, principal=lambda *_: ADA, **more):
        shop = site(*views, users=answer, principal=principal, batch=most, **more)

        def ask(body, **given):
            headers = {"Host": "shop.example", "X-CSRF": "1"}
            return shop.app.test_client().post("/web/_batch", json=body, headers=headers, **given)

        return shop, ask

    return make


def test_each_part_is_answered_as_if_it_were_alone(batch):
    shop, ask = batch(HOME, ORDERS)
    wanted = {"home": "/home?limit=3", "orders": "/orders", "bad": "/home?limit=x"}
    reply = ask({"requests": wanted})
    assert reply.status_code == 200
    assert reply.headers["Cache-Control"] == "no-store"
    parts = reply.json["responses"]
    assert parts.keys() == wanted.keys()
    alone = shop.get("/web/home?limit=3")
    assert parts["home"]["status"] == 200
    assert parts["home"]["body"] == alone.json
    assert parts["home"]["headers"]["bff-calls"] == alone.headers["BFF-Calls"]
    assert parts["home"]["headers"]["etag"] == alone.headers["ETag"]
    assert parts["bad"]["status"] == 400
    assert parts["bad"]["body"]["errors"][0]["parameter"] == "limit"


def test_what_several_parts_ask_in_the_same_words_is_asked_once(batch):
    shop, ask = batch(HOME, ORDERS)
    ask({"requests": {"a": "/home", "b": "/home", "c": "/orders"}})
    targets = sorted(each.target for each in shop.stubs.requests())
    assert targets == ["/me", "/orders?limit=5"]


def test_of_two_batches_each_asks_for_itself(batch):
    shop, ask = batch(HOME)
    for _ in range(2):
        ask({"requests": {"a": "/home"}})
    assert len(shop.stubs.requests()) == 4


def test_parts_run_beside_each_other(batch):
    barrier = Barrier(2, timeout=5)

    def together(request):
        if request.path != "/me":
            barrier.wait()
        return users(request)

    _, ask = batch(HOME, answer=together)
    parts = ask({"requests": {"a": "/home?limit=1", "b": "/home?limit=2"}}).json["responses"]
    assert {each["status"] for each in parts.values()} == {200}


def test_a_failure_is_one_parts_own(batch):
    def broken(request):
        return StubReply(500) if request.path == "/orders" else users(request)

    _, ask = batch(HOME, ORDERS, answer=broken)
    parts = ask({"requests": {"home": "/home", "orders": "/orders"}}).json["responses"]
    assert (parts["home"]["status"], parts["orders"]["status"]) == (200, 502)
    assert parts["home"]["body"]["orders"] == []


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/buy", "/_batch", "/files/a", "/../mobile/home", "//home", "/%2e%2e/web/home"],
)
def test_what_is_no_view_to_read_is_404_and_reaches_no_service(batch, path):
    shop, ask = batch(HOME, WRITE, relays=["relay: /files/{path...} -> users:/{path...}"])
    parts = ask({"requests": {"a": path}}).json["responses"]
    assert parts["a"]["status"] == 404
    assert not shop.stubs.requests()


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"requests": {}},
        {"requests": []},
        {"requests": {"a": 1}},
        {"requests": {"a": "home"}},
        {"requests": {"a": "http://evil.example/"}},
        {"requests": {"a b": "/home"}},
        {"requests": {"a": "/ho me"}},
        {"requests": {"a": "/home\r\nX: y"}},
        {"requests": {str(at): "/home" for at in range(5)}},
        {"requests": {"a": "/home"}, "more": 1},
    ],
)
def test_what_is_no_batch_is_400_and_reaches_no_service(batch, body):
    shop, ask = batch(HOME)
    reply = ask(body)
    assert (reply.status_code, reply.content_type) == (400, "application/problem+json")
    assert not shop.stubs.requests()


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"requests": {"a": "/home"}}', "text/plain", 415),
        (b'{"requests": {"a": "/' + b"h" * 70_000 + b'"}}', "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_is_4xx_and_reaches_no_service(batch, body, kind, status):
    shop, _ = batch(HOME)
    headers = {"Host": "shop.example", "X-CSRF": "1", "Content-Type": kind}
    reply = shop.app.test_client().post("/web/_batch", data=body, headers=headers)
    assert (reply.status_code, reply.content_type) == (status, "application/problem+json")
    assert not shop.stubs.requests()


@pytest.mark.parametrize(("error", "status"), [(LoginRequired, 401), (CrossSite, 403)])
def test_who_may_not_have_a_view_may_not_by_a_batch(batch, error, status):
    def refuse(*_):
        raise error("no")

    shop, ask = batch(HOME, principal=refuse)
    assert ask({"requests": {"a": "/home"}}).json["responses"]["a"]["status"] == status
    assert not shop.stubs.requests()


def test_what_is_not_declared_is_not_there(batch):
    _, ask = batch(HOME, most=0)
    assert ask({"requests": {"a": "/home"}}).status_code == 404


def test_parts_that_do_not_come_end_together(batch):
    _, ask = batch(HOME, answer=lambda _: StubReply(fault="hang"))
    parts = ask({"requests": {"a": "/home", "b": "/home?limit=2"}}).json["responses"]
    assert {each["status"] for each in parts.values()} == {504}


def test_all_parts_have_the_id_of_the_batch(batch):
    shop, ask = batch(HOME)
    reply = ask({"requests": {"a": "/home", "b": "/home?limit=2"}})
    assert {each.id for each in shop.heard} == {reply.headers["X-Request-Id"]}


SEARCH = """
get: /search
call: {post: users:/search, json: {q: a}, safe: true}
"""
KEPT = HOME.replace("/home", "/kept").replace(
    "{get: users:/me}", "{get: users:/me, cache: {ttl: 1m}}"
)


def test_a_search_of_several_parts_is_made_once(batch):
    shop, ask = batch(SEARCH, SEARCH.replace("/search\ncall", "/again\ncall"))
    ask({"requests": {"a": "/search", "b": "/again"}})
    assert [each.target for each in shop.stubs.requests()] == ["/search"]


def test_what_is_kept_in_one_part_and_not_in_another_is_asked_once(batch):
    shop, ask = batch(HOME, KEPT, cache=Cache(1_000_000))
    parts = ask({"requests": {"a": "/home", "b": "/kept"}}).json["responses"]
    assert {each["status"] for each in parts.values()} == {200}
    targets = sorted(each.target for each in shop.stubs.requests())
    assert targets == ["/me", "/orders?limit=5"]


def test_what_may_not_be_kept_is_asked_once_all_the_same(batch):
    def personal(request):
        reply = users(request)
        headers = [*reply.headers, ("Cache-Control", "no-store")]
        return StubReply(reply.status, headers, reply.body)

    shop, ask = batch(KEPT, cache=Cache(1_000_000), answer=personal)
    ask({"requests": {"a": "/kept", "b": "/kept?limit=1", "c": "/kept?limit=2"}})
    targets = [each.target for each in shop.stubs.requests()]
    assert targets.count("/me") == 1


def test_a_service_that_is_told_the_time_is_asked_once_too(batch):
    shop, ask = batch(HOME, ORDERS, service=", deadline: X-Left")
    ask({"requests": {"a": "/home", "b": "/home?limit=1", "c": "/orders"}})
    targets = [each.target for each in shop.stubs.requests()]
    assert targets.count("/me") == 1
