"""What is filled when the request begins, and which of the client's values do not fit."""

import pytest

from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.engine.fanout import fan_out
from bff.engine.input_faults import InputFaults
from bff.engine.prefill import prepare

ROOT = """
version: 1
frontends: {web: {access: session}}
providers: {p: {issuer: "https://id.example", client_id: web, client_secret: secret}}
services: {s: {url: "http://127.0.0.1:1"}}
"""


LIST, OBJECT = "is a list, not a single value", "is an object, not a single value"
BATCH = 'a: {each: body.x, batch: {get: s:/, query: {i: "{item}"}, join: ",", key: id}}'
MISSING = "is missing"
NOT_COMPUTED = "cannot be processed by the view"


def planned(calls, more=""):
    view = f"post: /x/{{id}}\nbody: {{}}\n{more}calls:\n  {calls}\nshape: a\n"
    config = assemble(parse(ROOT, "bff.yaml", {}), {"x": parse(view, "x.yaml", {})}, {})
    return check_config(config).plans["x"]["web"]


def begun(calls, scope, headers=None, more=""):
    """What is prepared for `scope`, and what is said of it."""
    plan = planned(calls, more)
    faults = InputFaults(plan.view)
    nobody = {"sub": None, "claims": {}, "signed_in": False, "visitor": None}
    values = {"params": {"id": "1"}, "body": {}, "headers": {}, "session": nobody, "locale": None}
    values |= {"frontend": "web", **scope}
    return plan, prepare(plan.early, values, headers or {}, faults), faults.errors


def bad(name, detail="cannot be sent to a service", where="path"):
    return {"parameter": name, "in": where, "detail": detail}


def at(pointer, detail="cannot be sent to a service"):
    return {"pointer": pointer, "detail": detail}


@pytest.mark.parametrize("value", ["..", ".", "%2e%2e", "%252e%252e", "../x", "x/..", "..%2fx"])
def test_a_value_that_would_leave_its_segment_is_named(value):
    _, _, errors = begun('a: {get: "s:/{params.id}"}', {"params": {"id": value}})
    assert errors == [bad("id")]


@pytest.mark.parametrize(
    ("calls", "body", "error"),
    [
        ('a: {get: "s:/{body.x}"}', {"x": ""}, at("/x", "is empty")),
        ('a: {get: "s:/{body.x}"}', {}, at("/x", MISSING)),
        ('a: {get: "s:/{body.x.y}"}', {"x": {"y": []}}, at("/x/y", LIST)),
        ('a: {get: s:/, query: {q: "{body.x}"}}', {"x": {"a": 1}}, at("/x", OBJECT)),
        ('a: {get: s:/, query: {q: "{body.x}"}}', {"x": "\ud83d"}, at("/x")),
        ('a: {get: s:/, query: {q: "n-{body.x}"}}', {}, at("/x", MISSING)),
        ('a: {get: s:/, query: {q: "{sum(body.x)}"}}', {"x": "1"}, at("/x", NOT_COMPUTED)),
        ('a: {get: s:/, headers: {X: "{body.x}"}}', {"x": "a\nb"}, at("/x")),
        ('a: {get: s:/, headers: {X: "{body.x}"}}', {"x": ["a"]}, at("/x", LIST)),
        ('a: {post: s:/, json: {t: "n {body.x}"}}', {}, at("/x", MISSING)),
        ('a: {post: s:/, form: {t: "{body.x}"}}', {"x": [[1]]}, at("/x", LIST)),
        ('a: {post: s:/, multipart: {t: "{body.x}"}}', {"x": {}}, at("/x", OBJECT)),
        ('a: {get: s:/, when: "length(body.x) > `1`"}', {}, at("/x", NOT_COMPUTED)),
        ('a: {each: body.x, get: "s:/{item}"}', {"x": {"a": 1}}, at("/x", "is not a list")),
        ('a: {each: body.x, get: "s:/{item}"}', {"x": [1] * 101}, at("/x", "has too many items")),
        ('a: {each: body.x, get: "s:/{item.id}"}', {"x": [{"id": 1}, {}]}, at("/x", MISSING)),
        ('a: {each: body.x, get: s:/, query: {i: "{item.i}"}}', {"x": [{}]}, at("/x", MISSING)),
        (BATCH, {"x": ["a,b"]}, at("/x", "is not a valid id")),
    ],
)  # fmt: skip
def test_what_of_a_body_does_not_fit_is_pointed_to(calls, body, error):
    _, _, errors = begun(calls, {"body": body})
    assert errors == [error]


def test_each_fault_of_each_required_call_is_named_once():
    calls = 'a: {get: "s:/{params.id}/{body.x}"}\n  b: {get: "s:/b/{params.id}"}\n'
    calls += '  c: {get: "s:/{body.y}", optional: true}'
    _, _, errors = begun(calls, {"params": {"id": ""}, "body": {}}, more="refuse: []\n")
    assert errors == [bad("id", "is empty"), at("/x", MISSING)]


@pytest.mark.parametrize(
    "call",
    [
        'a: {get: "s:/{params.id}", optional: true}',
        'a: {get: "s:/{params.id}", fallback: 1}',
        'a: {get: "s:/{params.id}", when: "params.id != \'..\'"}',
        'a: {get: "s:/{params.id}", when: session.signed_in}',
        'a: {get: "s:/{body.x.id}"}\n  b: {each: body.x, get: "s:/{item}", into: id}',
        'a: {get: "s:/{session.sub}"}',
        'a: {get: "s:/{session.sub || params.id}"}',
        'b: {get: s:/b}\n  a: {get: "s:/{b.id || params.id}"}',
        'b: {get: s:/b, when: body.x}\n  a: {get: "s:/{params.id}", query: {q: "{b.id}"}}',
        'b: {get: s:/b}\n  a: {get: "s:/{params.id}", when: b.more}',
    ],
)
def test_what_may_do_without_or_is_not_the_clients_alone_is_left_to_the_call(call):
    _, _, errors = begun(call, {"params": {"id": ".."}})
    assert errors == []


def test_what_is_filled_is_used_by_the_call():
    calls = 'b: {get: s:/b}\n  a: {post: "s:/{params.id}", query: {q: "{body.q}", p: "{b.id}"}, '
    calls += 'headers: {X-N: "{body.n}"}, json: {t: "{body.t}"}}'
    body = {"q": [1, 2], "n": "n", "t": {"u": 1}}
    plan, prepared, errors = begun(calls, {"body": body})
    assert errors == []
    scope = {"b": {"id": 7}}  # of what it is filled with, nothing is read again
    (unit,) = fan_out(plan.nodes["a"].compiled, scope, (), prepared=prepared["a"]).units
    assert unit.request.target == "/1?q=1&q=2&p=7"
    assert dict(unit.request.headers)["x-n"] == "n"
    assert unit.request.body == b'{"t":{"u":1}}'


def test_the_items_that_are_known_are_used_by_the_call():
    call = 'a: {each: {o: body.x, p: o.y}, get: "s:/{params.id}/{o.n}/{p}", query: {b: "{b.id}"}}'
    body = {"x": [{"n": 1, "y": ["a", "b"]}, {"n": 2, "y": ["c"]}]}
    plan, prepared, _ = begun(f"{call}\n  b: {{get: s:/b}}", {"body": body})
    fan = fan_out(plan.nodes["a"].compiled, {"b": {"id": 7}}, (), prepared=prepared["a"])
    targets = [unit.request.target for unit in fan.units]
    assert targets == ["/1/1/a?b=7", "/1/1/b?b=7", "/1/2/c?b=7"]
    assert fan.nest == [[2, 1]]


def test_a_header_of_the_client_that_cannot_be_passed_on_is_named():
    call = "a: {get: s:/, forward: [X-App, X-Fine]}"
    _, _, errors = begun(call, {}, {"x-app": "a\tb", "x-fine": "a"})
    assert errors == [bad("x-app", where="header")]


def test_a_view_that_fills_nothing_early_prepares_nothing():
    plan = planned("a: {get: s:/, optional: true}")
    assert plan.early == {}


RANDOM = [
    'a: {each: body.x, post: "s:/", headers: {Idempotency-Key: "{uuid()}"}, json: {i: "{item}"}}',
    'a: {each: body.x, post: "s:/", query: {t: "{params.id}-{uuid()}"}, json: {i: "{item}"}}',
    'a: {each: body.x, post: "s:/", json: {i: "{uuid()}"}}',
    'a: {each: body.x, put: "s:/{uuid()}"}',
    'a: {each: body.x, put: "s:/{uuid()}/{item}"}',
    BATCH.replace("/,", '/, headers: {X-Request: "{uuid()}"},').replace(
        "key: id", "key: id, size: 1"
    ),
]


@pytest.mark.parametrize("calls", RANDOM)
def test_what_is_another_one_each_time_is_so_for_each_request(calls):
    scope = {"body": {"x": [1, 2, 3]}}
    plan, prepared, errors = begun(calls, scope)
    assert errors == []
    values = {"params": {"id": "1"}, **scope}
    requests = [
        unit.request
        for _ in range(2)  # a view in Python may start a call several times
        for unit in fan_out(plan.nodes["a"].compiled, values, (), prepared=prepared["a"]).units
    ]
    assert len(set(requests)) == 6


def test_what_is_another_one_each_time_is_tried_early_all_the_same():
    scope = {"params": {"id": ""}, "body": {"x": [1]}}
    _, prepared, errors = begun('a: {each: body.x, put: "s:/{params.id}/{uuid()}"}', scope)
    assert errors == [bad("id", "is empty")]
    _, prepared, _ = begun('a: {each: body.x, put: "s:/{item}/{params.id}"}', {"body": {"x": [1]}})
    assert prepared["a"].own[0], "what is the same each time is filled once"
