"""What one request changes, no other request sees: literals, defaults, claims, constants."""

import orjson
import pytest

import bff
from bff.declare.check import check
from bff.dev.stubs.stub import StubReply, StubServices
from bff.model.principal import Principal
from tests.web.conftest import HOST

ATTACHED = """\
get: /x
params: {who: {}}
calls:
  list: {get: users:/list, path: "items || `[{\\"id\\": 7}]`"}
  secret: {each: list, get: "users:/of/{params.who}", into: secret}
shape: list
"""


def echo(request):
    return StubReply.json({} if request.path == "/list" else {"of": request.path})


def test_a_literal_of_an_expression_is_each_requests_own(site):
    shop = site(ATTACHED, users=echo)
    for who in ("ada", "bob"):
        assert shop.get(f"/web/x?who={who}").json == [{"id": 7, "secret": {"of": f"/of/{who}"}}]


def test_the_claims_of_a_principal_stay_as_they_are(site):
    claims = {"boxes": [{"id": 1}]}
    person = Principal("i", "ada", claims=claims)
    view = """\
get: /x
access: optional
calls: {got: {each: session.claims.boxes, get: "users:/of/{item.id}", into: got}}
shape: {boxes: session.claims.boxes, got: got}
"""
    shop = site(view, users=echo, principal=lambda *_: person)
    for _ in range(2):
        assert shop.get("/web/x").json["boxes"] == [{"id": 1, "got": {"of": "/of/1"}}]
    assert claims == {"boxes": [{"id": 1}]}


PYTHON = """\
import bff

@bff.view(get="/p", params={"tag": {"type": "array", "items": {}, "default": []}, "who": {}},
          calls={"one": {"get": "users:/one", "path": "items || `[]`"}})
def page(ask):
    for value in (ask["params"]["tag"], ask.start("one").value):
        value.append(ask["params"]["who"])
    return [ask["params"]["tag"], ask.start("one").value]
"""


def test_what_a_view_in_python_changes_is_its_own(tmp_path):
    from bff.app import create_app
    from bff.declare.settings import Settings

    assert bff.view
    with StubServices({"users": lambda _: StubReply.json({})}) as stubs:
        root = f"version: 1\nhosts: [{HOST}]\nfrontends: {{web: {{access: none}}}}\n"
        root += f"services: {{users: {{url: '{stubs.urls['users']}'}}}}\n"
        (tmp_path / "views").mkdir()
        (tmp_path / "bff.yaml").write_text(root)
        (tmp_path / "views/page.py").write_text(PYTHON)
        client = create_app(check(tmp_path, {}), Settings()).test_client()
        for who in ("ada", "bob"):
            answer = client.get(f"/web/p?who={who}", headers={"Host": HOST})
            assert answer.json == [[who], [who]]


BOUNDED = """\
post: /x
timeout: 2s
body: {type: object}
calls:
  pair:
    each: {a: "body.xs", b: "body.ys"}
    max: 10
    get: users:/of
    fallback: {some: thing}
shape: pair
"""


def test_more_items_than_allowed_cost_nothing(site):
    """2,000 by 2,000 of them are refused before one scope is made."""
    shop = site(BOUNDED, users=echo)
    body = orjson.dumps({"xs": list(range(2000)), "ys": list(range(2000))})
    answer = shop.app.test_client().post(
        "/web/x", data=body, headers={"Host": HOST, "Content-Type": "application/json"}
    )
    assert answer.json == []
    assert answer.headers["BFF-Calls"] == "pair=fallback;reason=too_many"
    assert not shop.stubs.requests()
    assert shop.heard[0].took < 0.5


UNIQUE = "post: /x\nbody: {type: array, uniqueItems: true}\ncall: {get: users:/of}\n"


@pytest.mark.parametrize(
    ("items", "status"),
    [([{"a": n} for n in range(20_000)], 200), ([1, 2, 1.0], 400), ([1, True, "1"], 200)],
)
def test_unique_items_are_found_in_one_pass(site, items, status):
    shop = site(UNIQUE, users=echo)
    answer = shop.app.test_client().post(
        "/web/x",
        data=orjson.dumps(items),
        headers={"Host": HOST, "Content-Type": "application/json"},
    )
    assert answer.status_code == status


def test_an_end_of_a_pattern_is_the_end_of_the_text(site):
    view = 'get: /x\nparams: {code: {pattern: "^[A-Z]{2}$"}}\ncall: {get: users:/of}\n'
    shop = site(view, users=echo)
    assert shop.get("/web/x?code=DE").status_code == 200
    assert shop.get("/web/x?code=DE%0A").status_code == 400


def test_an_answer_nested_too_deeply_is_no_500(site):
    view = "get: /x\nomit_null: true\ncall: {get: users:/deep}\n"
    deep = StubReply(200, [("Content-Type", "application/json")], b"[" * 990 + b"]" * 990)
    shop = site(view, users=lambda _: deep)
    assert shop.get("/web/x").status_code in {200, 502}


def test_a_get_does_not_write(site):
    view = "get: /x\ncall: {post: users:/of}\n"
    with pytest.raises(bff.ConfigError, match="a view with `get` is read-only"):
        site(view, users=echo)
