"""What is sent where there is nothing to send, in each place of a request."""

from urllib.parse import parse_qs

import pytest

from bff.declare.config import assemble
from bff.declare.load import parse
from bff.engine.fanout import fan_out
from bff.errors import ConfigError, Unfillable
from bff.model.source import Place, Source
from bff.plan.compile import compile_call
from bff.plan.fields import FieldTemplate, is_nothing

ROOT = """
version: 1
frontends: {web: {access: session}}
providers: {p: {issuer: "https://id.example", client_id: web, client_secret: secret}}
services: {s: {url: "http://127.0.0.1:1", headers: {X-Of: HEADER}}}
"""
NOTHINGS = [None, [], [None], [None, None]]
# Of the table "Templates": what writes a value into each place that may be left out.
PLACES = {
    "query": '{get: "s:/a", query: {id: "EXPRESSION", kept: 1}}',
    "headers": '{get: "s:/a", headers: {X-Id: "EXPRESSION", X-Kept: 1}}',
    "form": '{post: "s:/a", form: {id: "EXPRESSION", kept: 1}}',
    "multipart": '{post: "s:/a", multipart: {id: "EXPRESSION", kept: 1}}',
    "a list in query": '{get: "s:/a", query: {id: ["EXPRESSION", kept]}}',
    "a list in form": '{post: "s:/a", form: {id: ["EXPRESSION", kept]}}',
}
# Whatever a call, an item, a view in Python or the session gives.
NOT_THE_CLIENTS = ["call.id", "session.claims.id", "given", "item.id", "call.id || params.id"]


def compiled(text, header='"service"'):
    root = parse(ROOT.replace("HEADER", header), "bff.yaml", {})
    text = text.replace("X-Kept: 1", "X-Kept: '1'")
    view = parse(f"post: /home\nbody: {{}}\ncalls:\n  c: {text}\nshape: c", "home.yaml", {})
    config = assemble(root, {"home": view}, {})
    call = config.views[0].calls[0]
    return compile_call(call, config.services[call.service])


def scope(value):
    holder = {"id": value}
    session = {"sub": None, "claims": holder}
    clients = {"params": holder, "body": holder, "headers": holder, "locale": value}
    return {"call": holder, "session": session, "item": holder, "given": value, **clients}


def request(text, value, **more):
    (unit,) = fan_out(compiled(text, **more), scope(value), ()).units
    return unit.request


def written(text, value, **more):
    asked = request(text, value, **more)
    return f"{asked.target} {dict(asked.headers)} {asked.body.decode()}"


@pytest.mark.parametrize("expression", NOT_THE_CLIENTS)
@pytest.mark.parametrize("value", NOTHINGS)
@pytest.mark.parametrize("place", PLACES)
def test_without_a_mark_the_request_is_not_made(place, value, expression):
    with pytest.raises(Unfillable, match=r"null|list"):
        request(PLACES[place].replace("EXPRESSION", f"{{{expression}}}"), value)


@pytest.mark.parametrize("expression", NOT_THE_CLIENTS)
@pytest.mark.parametrize("value", NOTHINGS)
@pytest.mark.parametrize("place", PLACES)
def test_a_mark_leaves_the_value_out(place, value, expression):
    marked = PLACES[place].replace("EXPRESSION", f"{{{expression}?}}")
    asked = request(marked, value)
    bare = written(marked, value).lower()
    assert 'name="id"' not in bare
    assert "x-id" not in bare
    assert parse_qs(asked.target.partition("?")[2] or asked.body.decode()).get("id") in (
        None,
        ["kept"],
    )
    assert "kept" in bare
    assert len(asked.left_out) == 1


@pytest.mark.parametrize("value", [0, False, "", "x", 7])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_there_is_sent_with_and_without_a_mark(place, value):
    plain, marked = (
        PLACES[place].replace("EXPRESSION", each) for each in ("{call.id}", "{call.id?}")
    )
    assert written(plain, value) == written(marked, value)
    assert request(marked, value).left_out == ()


@pytest.mark.parametrize("root", ["params.id", "body.id", "headers.id", "locale"])
@pytest.mark.parametrize("place", PLACES)
def test_what_only_the_client_gives_is_left_out_without_a_mark(place, root):
    text = PLACES[place].replace("EXPRESSION", f"{{{root}}}")
    assert written(text, None) == written(
        PLACES[place].replace('"EXPRESSION"', "null").replace("X-Id: null, ", ""), None
    )


@pytest.mark.parametrize("expression", ["null", "`null`"])
def test_a_literal_null_is_left_out(expression):
    assert request(f'{{get: "s:/a", query: {{id: "{{{expression}}}"}}}}', 1).target == "/a"
    assert request('{get: "s:/a", query: {id: null}}', 1).target == "/a"


@pytest.mark.parametrize("value", NOTHINGS)
def test_json_keeps_what_there_is(value):
    asked = request('{post: "s:/a", json: {id: "{call.id}"}}', value)
    assert asked.body.decode() == f'{{"id":{str(value).replace("None", "null").replace(" ", "")}}}'


@pytest.mark.parametrize("value", [*NOTHINGS, "", {}])
def test_a_path_needs_its_value(value):
    with pytest.raises(Unfillable):
        request('{get: "s:/a/{call.id}"}', value)


@pytest.mark.parametrize("value", NOTHINGS)
def test_text_around_a_value_leaves_nothing_out(value):
    for place in PLACES.values():
        with pytest.raises(Unfillable):
            request(place.replace("EXPRESSION", "id={call.id}"), value)


@pytest.mark.parametrize("value", NOTHINGS)
def test_a_services_header_is_held_to_the_same(value):
    call = '{get: "s:/a"}'
    with pytest.raises(Unfillable):
        request(call, value, header='"{session.claims.id}"')
    marked = request(call, value, header='"{session.claims.id?}"')
    assert marked.left_out == ("header x-of",)
    assert "x-of" not in dict(marked.headers)


@pytest.mark.parametrize("kind", ["form", "multipart"])
def test_an_object_that_is_a_whole_body_is_held_to_it_field_by_field(kind):
    value = {"id": None, "kept": "1"}
    with pytest.raises(Unfillable, match="its `id`"):
        request(f'{{post: "s:/a", {kind}: "{{call.id}}"}}', value)
    left = request(f'{{post: "s:/a", {kind}: "{{call.id?}}"}}', value)
    assert b"kept" in left.body
    assert b"id" not in left.body
    assert left.left_out == (kind,)
    assert b"kept" in request(f'{{post: "s:/a", {kind}: "{{body.id}}"}}', value).body


def test_a_file_is_left_out_with_its_content_and_its_type_alone():
    file = '{post: "s:/a", multipart: {n: "1", f: {filename: a.txt, FIELDS}}}'
    with pytest.raises(Unfillable):
        request(file.replace("FIELDS", 'content: "{call.id}"'), None)
    with pytest.raises(Unfillable):
        request(file.replace("FIELDS", 'content: text, type: "{call.id}"'), None)
    left = request(file.replace("FIELDS", 'content: "{call.id?}"'), None)
    assert b"a.txt" not in left.body
    assert left.left_out == ("multipart f",)
    untyped = request(file.replace("FIELDS", 'content: text, type: "{call.id?}"'), None)
    assert b"application/octet-stream" in untyped.body


def test_a_field_of_each_item_fails_for_that_item():
    call = compiled('{each: list, get: "s:/a", query: {id: "{item.id}", m: "{item.m?}"}}')
    fan = fan_out(call, {"list": [{"id": 1}, {"id": None}, {"id": [None]}, {"id": 2, "m": 3}]}, ())
    assert [unit.request.target for unit in fan.units] == ["/a?id=1", "/a?id=2&m=3"]
    assert list(fan.failed) == [1, 2]


@pytest.mark.parametrize("text", ["{user.id?}", "{ user.id ? }", "{user.id ?}"])
def test_a_mark_stands_before_the_closing_brace(text):
    template = FieldTemplate(Source(text, Place("t.yaml")))
    assert template.marked
    assert template.filled({"user": {}}) is None
    assert template.filled({"user": {"id": 7}}) == 7


@pytest.mark.parametrize(
    "text", ["{user.id??}", "{?}", "{user.id?}!", "{a?}{b}", "{params.x?}", "{now()?}", "{null?}"]
)
def test_a_mark_of_no_use_is_an_error(text):
    with pytest.raises(ConfigError):
        FieldTemplate(Source(text, Place("t.yaml")))


def test_what_ends_with_a_question_mark_of_its_own_has_no_mark():
    assert FieldTemplate(Source("{'what?'}", Place("t.yaml"))).filled({}) == "what?"
    assert FieldTemplate(Source("{user.id}?", Place("t.yaml"))).filled({"user": {"id": 1}}) == "1?"


@pytest.mark.parametrize("value", [0, False, "", {}, [0], [None, ""], [[]]])
def test_what_is_something_is_not_nothing(value):
    assert not is_nothing(value)
