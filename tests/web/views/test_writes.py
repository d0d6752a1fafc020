"""Writes: keys that have them done once, and what they changed in the same answer."""

from threading import Event, Thread

import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply, StubServices
from bff.model.principal import Principal
from bff.upstream.pool import PoolExchange

ADA = Principal("https://id.example", "ada")
BOB = Principal("https://id.example", "bob")
ORDER = """
post: /orders
body: {type: object, properties: {product: {type: string}}, required: [product]}
call: {post: "shop:/orders", json: "{body}"}
answer: 201
"""


class Shop:
    """A service that does what it is asked, and says how often."""

    def __init__(self):
        self.done, self.status = 0, 200
        self.keys = []
        self.held, self.let_go = Event(), Event()
        self.let_go.set()

    def __call__(self, request):
        self.keys.append(request.header("Idempotency-Key"))
        self.done += 1
        number = self.done
        self.held.set()
        assert self.let_go.wait(10)
        return StubReply.json({"order": number}, self.status)


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
def order(site, shop):
    """Order something as somebody: `order("p-1", "key")`."""
    who = [ADA]

    def make(view=ORDER, principal=lambda *_: who[0]):
        made = site(view, shop=shop, principal=principal)

        def ask(product="p-1", key="k1", person=ADA, **headers):
            who[0] = person
            given = {"Host": "shop.example", **headers}
            given |= {} if key is None else {"Idempotency-Key": key}
            client = made.app.test_client()
            return client.post("/web/orders", json={"product": product}, headers=given)

        return ask

    return make


def test_the_same_again_is_answered_as_it_was_and_not_done(order, shop):
    ask = order()
    first, second = ask(), ask()
    assert (first.status_code, first.json) == (201, {"order": 1})
    assert (second.status_code, second.json) == (201, {"order": 1})
    assert second.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["BFF-Calls"] == first.headers["BFF-Calls"]
    assert shop.done == 1


def test_another_process_answers_as_the_first_did_where_only_apps_ask(tmp_path, shop):
    issuer = "{issuer: https://id.example, audience: shop}"
    with StubServices({"shop": shop}) as stubs:
        text = "version: 1\nhosts: [shop.example]\nfrontends: {web: {access: bearer}}\n"
        text += f"issuers: {{main: {issuer}}}\nservices: {{shop: {{url: '{stubs.urls['shop']}'}}}}"
        config = assemble(parse(text, "bff.yaml", {}), {"order": parse(ORDER, "order", {})}, {})
        settings = Settings(management_bind=None, state=tmp_path)
        found = []
        for _ in range(2):
            exchange = PoolExchange(config.services, 2)
            checked = check_config(config)
            app = create_app(checked, settings, exchange=exchange, authenticate=lambda *_: ADA)
            headers = {"Host": "shop.example", "Idempotency-Key": "k1"}
            client = app.test_client()
            found.append(client.post("/web/orders", json={"product": "p"}, headers=headers).json)
            exchange.close()
    assert found == [{"order": 1}, {"order": 1}]


def test_a_quoted_key_is_the_same_as_a_bare_one(order, shop):
    ask = order()
    ask(key="k1")
    assert ask(key='"k1"').json == {"order": 1}
    assert shop.done == 1


def test_another_body_is_422_and_reaches_no_service(order, shop):
    ask = order()
    ask("p-1")
    reply = ask("p-2")
    assert (reply.status_code, reply.content_type) == (422, "application/problem+json")
    assert shop.done == 1


@pytest.mark.parametrize("key", ["", '"', '""', "a b", "a,b", '"a", "b"', "x" * 201, "ä"])
def test_what_is_no_key_is_400_and_reaches_no_service(order, shop, key):
    assert order()(key=key).status_code == 400
    assert shop.done == 0


def test_a_view_may_want_a_key(order, shop):
    ask = order(ORDER + "idempotency: required\n")
    assert ask(key=None).status_code == 400
    assert shop.done == 0
    assert ask().status_code == 201


def test_without_a_key_it_is_done_each_time(order, shop):
    ask = order()
    assert [ask(key=None).json for _ in range(2)] == [{"order": 1}, {"order": 2}]
    assert shop.keys == [None, None]


def test_another_person_has_keys_of_their_own(order):
    ask = order()
    assert ask(person=ADA).json == {"order": 1}
    assert ask(person=BOB).json == {"order": 2}
    assert ask(person=ADA).json == {"order": 1}


def test_nobody_has_none(order, shop):
    ask = order(ORDER + "access: public\n")
    assert ask().status_code == 400
    assert shop.done == 0
    assert ask(key=None).status_code == 201


def test_at_once_it_is_409(order, shop):
    ask = order()
    shop.let_go.clear()
    first = []
    thread = Thread(target=lambda: first.append(ask()))
    thread.start()
    try:
        assert shop.held.wait(10)
        reply = ask()
        assert reply.status_code == 409
        assert reply.headers["Retry-After"]
    finally:
        shop.let_go.set()
        thread.join()
    assert first[0].json == {"order": 1}
    assert shop.done == 1


def test_a_failure_of_a_service_is_not_kept_and_its_key_goes_up_again(order, shop):
    ask = order()
    shop.status = 503
    assert ask().status_code == 502
    shop.status = 200
    assert (ask().status_code, shop.done) == (201, 2)
    assert shop.keys[0] == shop.keys[1]
    assert shop.keys[0] not in {None, "k1", '"k1"'}


EACH = """
post: /pay
body: {type: object}
calls:
  open: {get: "shop:/open"}
  paid: {each: open, post: "shop:/bills/{item}/pay"}
shape: {paid: paid}
"""


def test_of_a_list_that_has_become_shorter_each_write_keeps_its_own_key(site):
    """The first bill was paid before something went wrong, and is no longer on the list."""
    left, keys = ["a", "b"], []

    def answer(request):
        if request.method == "GET":
            return StubReply.json(left)
        keys.append((request.path, request.header("Idempotency-Key")))
        return StubReply(503) if request.path == "/bills/b/pay" and len(keys) < 3 else StubReply()

    client = site(EACH, shop=answer, principal=lambda *_: ADA).app.test_client()
    given = {"Host": "shop.example", "Idempotency-Key": "k1"}
    assert client.post("/web/pay", json={}, headers=given).status_code == 502
    left.remove("a")
    assert client.post("/web/pay", json={}, headers=given).status_code == 200
    assert sorted(path for path, _ in keys) == ["/bills/a/pay", "/bills/b/pay", "/bills/b/pay"]
    assert len(set(keys)) == 2
    assert len({key for _, key in keys}) == 2


def test_while_the_store_is_away_a_key_is_503_and_nothing_is_written(site, shop):
    root = 'session: {store: "redis://127.0.0.1:1/0", secrets: ["%s"]}\n' % ("0" * 40)
    made = site(ORDER, shop=shop, principal=lambda *_: ADA, root=root)
    given = {"Host": "shop.example", "Idempotency-Key": "k1"}
    refused = made.app.test_client().post("/web/orders", json={"product": "p"}, headers=given)
    assert (refused.status_code, shop.done) == (503, 0)


def test_other_parameters_are_another_request(site, shop):
    view = 'put: /lines/{id}\ncall: {put: "shop:/lines/{params.id}"}\n'
    client = site(view, shop=shop, principal=lambda *_: ADA).app.test_client()
    given = {"Host": "shop.example", "Idempotency-Key": "k1"}
    assert client.put("/web/lines/1", headers=given).status_code == 200
    assert client.put("/web/lines/2", headers=given).status_code == 422
    assert shop.done == 1


def test_of_another_view_it_is_another_key(shop, site):
    other = ORDER.replace("post: /orders", "post: /others")
    client = site(ORDER, other, shop=shop, principal=lambda *_: ADA).app.test_client()
    given = {"Host": "shop.example", "Idempotency-Key": "k1"}
    for path in ("/web/orders", "/web/others"):
        assert client.post(path, json={"product": "p"}, headers=given).status_code == 201
    assert shop.done == 2
    assert len(set(shop.keys)) == 2


ODD = [
    '{"product": "p", "n": 1e400}',
    '{"product": "\\ud800"}',
    '{"product": "p", "n": 123456789012345678901234567890}',
    '{"product": "p", "n": ' + "[" * 63 + "]" * 63 + "}",
]


@pytest.mark.parametrize("content", ODD)
def test_whatever_json_a_body_is_a_key_with_it_is_no_500(site, shop, content):
    client = site(ORDER, shop=shop, principal=lambda *_: ADA).app.test_client()
    given = {"Host": "shop.example", "Idempotency-Key": "k1", "Content-Type": "application/json"}
    statuses = {client.post("/web/orders", data=content, headers=given).status_code
                for _ in range(2)}  # fmt: skip
    assert statuses in ({201}, {400})


def test_a_bad_body_spends_no_key(order):
    ask = order()
    assert ask(product=7).status_code == 400
    assert ask(product="p-1").status_code == 201


CART = """
get: /cart
call:
  get: shop:/cart
  query: {who: "{session.sub}"}
  cache: {ttl: 1h, tags: ["cart:{session.sub}"]}
shape: {items: call.items}
"""
ADD = """
post: /cart
body: {type: object}
call: {post: "shop:/cart", json: "{body}"}
invalidates: ["cart:{session.sub}"]
shape: {added: call.ok}
refresh: [v1]
"""


def cart():
    items = []

    def answer(request):
        if request.method == "POST":
            items.append(request.json()["product"])
            return StubReply.json({"ok": True})
        return StubReply.json({"items": items})

    return answer


def test_what_a_write_changed_comes_with_its_answer(site):
    shop = site(ADD, CART, shop=cart(), principal=lambda *_: ADA)
    assert shop.get("/web/cart").json == {"items": []}
    client = shop.app.test_client()
    reply = client.post("/web/cart", json={"product": "p-1"}, headers={"Host": "shop.example"})
    assert reply.json == {"added": True, "v1": {"items": ["p-1"]}}
    assert reply.headers["BFF-Calls"] == "call=ok, refresh.v1=ok"
    assert shop.get("/web/cart").json == {"items": ["p-1"]}


def test_what_comes_along_knows_the_visitor_though_the_write_does_not_ask(site):
    def somebody(_, rule):
        return Principal(visitor="v-1" if rule.visitor else "")

    add = ADD.replace('invalidates: ["cart:{session.sub}"]', "access: optional")
    read = CART.replace("session.sub}", "session.visitor}") + "access: optional\n"
    shop = site(add, read, shop=cart(), principal=somebody)
    client = shop.app.test_client()
    client.post("/web/cart", json={"product": "p-1"}, headers={"Host": "shop.example"})
    assert [each.target for each in shop.stubs.requests()] == ["/cart", "/cart?who=v-1"]


def test_what_cannot_be_read_anew_is_null_and_the_write_is_answered(site):
    def answer(request):
        return StubReply.json({"ok": True}) if request.method == "POST" else StubReply(500)

    shop = site(ADD, CART, shop=answer, principal=lambda *_: ADA)
    client = shop.app.test_client()
    reply = client.post("/web/cart", json={"product": "p-1"}, headers={"Host": "shop.example"})
    assert (reply.status_code, reply.json) == (200, {"added": True, "v1": None})
    assert "refresh.v1=failed" in reply.headers["BFF-Calls"]


def test_a_body_that_fits_no_request_may_be_corrected_under_the_same_key(order, shop):
    ask = order(ORDER.replace('"shop:/orders"', '"shop:/orders/{body.product}"'))
    refused = ask("..")
    assert (refused.status_code, shop.done) == (400, 0)
    wrong = {"pointer": "/product", "detail": "cannot be sent to a service"}
    assert refused.json["errors"] == [wrong]
    assert ask("p-1").status_code == 201
    assert shop.done == 1
