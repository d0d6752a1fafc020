"""Fan-out: one call becomes requests, and what they bring one value."""

import pytest

from bff.declare.config import assemble
from bff.declare.load import parse
from bff.engine.decode import read_reply
from bff.engine.fanout import by_key, fan_out, join
from bff.errors import BadReply, BffError, TimedOut, TooMany, Unfillable
from bff.model.exchange import Reply
from bff.plan.compile import compile_call

ROOT = """
version: 1
frontends: {web: {access: none}}
services: {s: {url: "http://127.0.0.1:1", headers: {X-Of: service, X-Both: service}}}
"""


def compiled(text):
    view = parse(f"get: /home\ncalls:\n  c: {text}\nshape: c", "home.yaml", {})
    config = assemble(parse(ROOT, "bff.yaml", {}), {"home": view}, {})
    call = config.views[0].calls[0]
    return compile_call(call, config.services[call.service])


def targets(fan):
    return [unit.request.target for unit in fan.units]


def missing():
    return "missing"


def run(text, scope, replies):
    """What a call comes to where `replies` (by target) are decoded replies or errors."""
    call = compiled(text)
    fan = fan_out(call, scope, ())
    assert len(set(targets(fan))) == len(fan.units)
    return join(call, fan, [keyed(call, replies[target]) for target in targets(fan)], missing)


def keyed(call, reply):
    return by_key(call.fold, reply) if call.fold and not isinstance(reply, BffError) else reply


def test_a_lone_call_is_one_request():
    query = '{q: "{params.y}", fixed: 1}'
    call = compiled(f'{{get: "s:/a/{{x}}", query: {query}, headers: {{X-Both: "{{x}}"}}}}')
    (unit,) = fan_out(call, {"x": "1", "params": {"y": None}}, (("x-extra", "e"),)).units
    request = unit.request
    assert (request.service, request.method, request.target) == ("s", "GET", "/a/1?fixed=1")
    assert dict(request.headers) == {
        "accept": "application/json",
        "x-extra": "e",
        "x-of": "service",
        "x-both": "1",
    }
    assert request.body == b""


def test_a_header_that_is_null_is_not_sent():
    call = compiled('{get: "s:/a", headers: {X-Of: "{params.none}"}}')
    assert "x-of" not in dict(fan_out(call, {}, ()).units[0].request.headers)


@pytest.mark.parametrize(
    ("json", "body"),
    [
        (
            '{a: "{x}", b: ["{x.n}", 1, null], c: "n={x.n}"}',
            b'{"a":{"n":7},"b":[7,1,null],"c":"n=7"}',
        ),
        ('"{x}"', b'{"n":7}'),
        ("[]", b"[]"),
        ("null", b"null"),
    ],
)
def test_a_body_keeps_its_types(json, body):
    (unit,) = fan_out(compiled(f"{{post: s:/a, json: {json}}}"), {"x": {"n": 7}}, ()).units
    assert unit.request.body == body
    assert dict(unit.request.headers)["content-type"] == "application/json"


def deep():
    value = []
    for _ in range(5000):
        value = [value]
    return value


@pytest.mark.parametrize("value", [object(), [[{1}]], deep()], ids=range(3))
def test_a_body_that_is_no_json_is_not_sent(value):
    with pytest.raises(Unfillable):
        fan_out(compiled('{post: s:/a, json: {a: "{x}"}}'), {"x": value}, ())


EACH = '{each: list, get: "s:/{item.id}"}'


def test_each_runs_once_per_item_and_identical_requests_once():
    scope = {"list": [{"id": 1}, {"id": 2}, {"id": 1}]}
    fan = fan_out(compiled(EACH), scope, ())
    assert targets(fan) == ["/1", "/2"]
    assert [unit.items for unit in fan.units] == [[0, 2], [1]]
    assert run(EACH, scope, {"/1": "one", "/2": "two"}) == ["one", "two", "one"]


@pytest.mark.parametrize("value", [None, []])
def test_each_over_nothing_is_an_empty_list(value):
    assert fan_out(compiled(EACH), {"list": value}, ()).units == []
    assert run(EACH, {"list": value}, {}) == []


@pytest.mark.parametrize("value", ["text", 7, {"a": 1}, True])
def test_each_over_what_is_no_list_is_a_bad_reply(value):
    with pytest.raises(BadReply):
        fan_out(compiled(EACH), {"list": value}, ())


def test_more_items_than_max_are_too_many_or_left_out():
    scope = {"list": [{"id": each} for each in range(4)]}
    with pytest.raises(TooMany):
        fan_out(compiled('{each: list, max: 3, get: "s:/{item.id}"}'), scope, ())
    truncated = compiled('{each: list, max: 3, over: truncate, get: "s:/{item.id}"}')
    assert targets(fan_out(truncated, scope, ())) == ["/0", "/1", "/2"]


def test_an_item_that_fills_no_request_is_missing_alone():
    scope = {"list": [{"id": 1}, {}, {"id": ".."}, {"id": 2}]}
    replies = {"/1": "one", "/2": TimedOut("late")}
    assert run(EACH, scope, replies) == ["one", "missing", "missing", "missing"]


def test_replies_shared_by_items_are_copies():
    scope = {"list": [{"id": 1}, {"id": 1}]}
    first, second = run(EACH, scope, {"/1": {"deep": []}})
    first["deep"].append("mine")
    assert second == {"deep": []}


NESTED = '{each: {board: "boards[]", card: "board.cards[]"}, get: "s:/{board.id}/{card}"}'


def test_nested_results_are_lists_of_lists_aligned_with_the_items():
    boards = [{"id": "a", "cards": [1, 2]}, {"id": "b", "cards": []}, {"id": "c"}]
    boards += [{"id": "d", "cards": [3]}]
    replies = {"/a/1": "a1", "/a/2": "a2", "/d/3": "d3"}
    assert run(NESTED, {"boards": boards}, replies) == [["a1", "a2"], [], [], ["d3"]]


def test_into_attaches_to_the_innermost_item():
    boards = [{"id": "a", "cards": [{"n": 1}, {"n": 2}]}]
    text = '{each: {b: boards, d: "b.cards"}, get: "s:/{b.id}/{d.n}", into: more}'
    run(text, {"boards": boards}, {"/a/1": "x", "/a/2": None})
    assert boards == [{"id": "a", "cards": [{"n": 1, "more": "x"}, {"n": 2, "more": None}]}]


@pytest.mark.parametrize("items", [["text"], [{"id": 1, "more": 0}], [{"id": 1}, 7], [None]])
def test_an_item_that_cannot_take_it_is_a_bad_reply_and_none_is_changed(items):
    before = repr(items)
    text = '{each: list, get: "s:/a", into: more}'
    with pytest.raises(BadReply):
        run(text, {"list": items}, {"/a": 1})
    assert repr(items) == before


def test_replace_takes_the_place_of_a_field():
    items = [{"id": 1, "more": 0}]
    run('{each: list, get: "s:/a", into: more, replace: true}', {"list": items}, {"/a": 1})
    assert items == [{"id": 1, "more": 1}]


def batch(query='ids: "{item.id}"', more="", outer=""):
    return f"{{each: list, batch: {{get: s:/b, query: {{{query}}}, key: id{more}}}{outer}}}"


LIST = {"list": [{"id": 7}, {"id": "a"}, {"id": "7"}, {"id": None}, {"id": "c"}]}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (batch(), ["/b?ids=7&ids=a&ids=c"]),
        (batch(more=', join: ","'), ["/b?ids=7%2Ca%2Cc"]),
        (batch(more=', join: ",", size: 2'), ["/b?ids=7%2Ca", "/b?ids=c"]),
        (batch(query='f: card, ids: "{item.id}"'), ["/b?f=card&ids=7&ids=a&ids=c"]),
        (batch(query='ids: "x{item.id}"', more=", size: 2"), ["/b?ids=x7&ids=xa", "/b?ids=xc"]),
    ],
)
def test_a_batch_asks_for_each_id_once(text, wanted):
    assert targets(fan_out(compiled(text), LIST, ())) == wanted


def test_a_batch_in_a_body_keeps_the_types_of_its_ids():
    text = '{each: list, batch: {post: s:/b, json: {ids: "{item.id}"}, key: id}}'
    (unit,) = fan_out(compiled(text), LIST, ()).units
    assert unit.request.body == b'{"ids":[7,"a","c"]}'


def test_a_batch_joins_one_to_one_by_text():
    reply = [{"id": "c"}, {"id": 7, "n": 1}]
    found = run(batch(), LIST, {"/b?ids=7&ids=a&ids=c": reply})
    assert found == [{"id": 7, "n": 1}, None, {"id": 7, "n": 1}, None, {"id": "c"}]
    assert found[0] is not found[2]


def test_a_batch_joins_one_to_many():
    reply = {"page": {"items": [{"id": 7, "n": 1}, {"id": "7", "n": 2}, {"id": "c"}]}}
    text = batch(more=", many: true, items: page.items")
    seven = [{"id": 7, "n": 1}, {"id": "7", "n": 2}]
    found = run(text, LIST, {"/b?ids=7&ids=a&ids=c": reply})
    assert found == [seven, [], seven, [], [{"id": "c"}]]


def test_only_the_items_of_a_failed_batch_are_missing():
    replies = {"/b?ids=7%2Ca": TimedOut("late"), "/b?ids=c": [{"id": "c"}]}
    found = run(batch(more=', join: ",", size: 2'), LIST, replies)
    assert found == ["missing", "missing", "missing", None, {"id": "c"}]


@pytest.mark.parametrize(
    "reply",
    [
        None,
        {},
        "text",
        [1],
        [{"n": 1}],
        [{"id": None}],
        [{"id": {}}],
        [{"id": "c"}, {"id": "c"}],
        [{"id": 7}, {"id": "7"}],
    ],
)
def test_a_batch_whose_reply_cannot_be_joined_is_a_bad_reply(reply):
    with pytest.raises(BadReply):
        run(batch(), LIST, {"/b?ids=7&ids=a&ids=c": reply})


def test_an_id_that_holds_the_separator_is_never_joined():
    scope = {"list": [{"id": "a,b"}, {"id": "c"}]}
    fan = fan_out(compiled(batch(more=', join: ","')), scope, ())
    assert targets(fan) == ["/b?ids=c"]
    assert list(fan.failed) == [0]


def test_the_status_value_of_a_batch_is_what_each_item_gets():
    call = compiled(batch(outer=", status: {404: {none: true}}"))
    fan = fan_out(call, {"list": [{"id": 1}, {"id": 2}]}, ())
    value = read_reply(call, Reply(404, (), b""))
    assert join(call, fan, [value], missing) == [{"none": True}, {"none": True}]
