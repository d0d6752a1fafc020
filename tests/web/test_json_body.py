"""Request bodies: only JSON, of a bounded size, as the schema says; else nothing is sent."""

from contextlib import closing, suppress
from http.client import HTTPConnection
from io import BytesIO

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from bff.dev.stubs.stub import StubReply
from bff.errors import RequestRefused
from bff.web.json_body import BodyReader
from tests import test_golden as golden


def posted(body, **options):
    options.setdefault("content_type", "application/json")
    return Request(EnvironBuilder(method="POST", data=body, **options).get_environ())


def refused(reader, request):
    with pytest.raises(RequestRefused) as caught:
        reader.read(request)
    return caught.value


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/ld+json",
    ],
)
def test_json_of_any_spelling_is_read(media_type):
    assert BodyReader({}, 100).read(posted(b'{"a": [1]}', content_type=media_type)) == {"a": [1]}


@pytest.mark.parametrize(
    "media_type", ["text/plain", "", "application/jsonp", "multipart/form-data; boundary=x", "json"]
)
def test_other_media_types_are_415(media_type):
    bad = refused(BodyReader({}, 100), posted(b"{}", content_type=media_type))
    assert (bad.status, bad.errors) == (415, [])


BROKEN = [
    *(b"", b" ", b"{", b"{}{}", b"NaN", b"1e999", b"'a'", b"\xff", b'"\\ud800"', b"// x\n1"),
    *(b"\xef\xbb\xbf", '{"ö": 1}'.encode("utf-16"), b'{"a": "\n"}', b"[" * 2000 + b"]" * 2000),
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_what_is_not_json_is_400(body):
    bad = refused(BodyReader(True, 10_000), posted(body))  # noqa: FBT003  (the schema of anything)
    assert bad.status == 400


def test_a_byte_order_mark_is_left_out_and_long_integers_are_kept():
    body = b'\xef\xbb\xbf{"id": 123456789012345678901}'
    assert BodyReader({}, 100).read(posted(body)) == {"id": 123456789012345678901}


@pytest.mark.parametrize("schema", [{"uniqueItems": True}, {"items": {"multipleOf": 0.1}}])
def test_a_schema_can_be_held_against_long_integers(schema):
    body = b"[123456789012345678901, 1" + b"0" * 400 + b"]"
    with suppress(RequestRefused):
        assert len(BodyReader(schema, 1000).read(posted(body))) == 2


@pytest.mark.parametrize(("size", "fits"), [(99, True), (100, True), (101, False), (50_000, False)])
def test_bodies_have_a_bound(size, fits):
    body = b'"' + b"x" * (size - 2) + b'"'
    reader = BodyReader({}, 100)
    if fits:
        assert len(reader.read(posted(body))) == size - 2
    else:
        assert refused(reader, posted(body)).status == 413


def chunked(body):
    """A request that does not say how long it is, as gunicorn hands it on."""
    environ = EnvironBuilder(method="POST", content_type="application/json").get_environ()
    environ.pop("CONTENT_LENGTH", None)
    return Request(environ | {"wsgi.input": body, "wsgi.input_terminated": True})


def test_a_body_without_a_length_is_read():
    assert BodyReader({}, 100).read(chunked(BytesIO(b"[1]"))) == [1]
    assert BodyReader({}, 3).read(chunked(BytesIO(b"[1]"))) == [1]


@pytest.mark.parametrize("body", [b"[1" + b"," * 200, b"[1]" + b" " * 200 + b"2", b"1" * 101])
def test_a_body_without_a_length_has_a_bound_and_is_not_cut_off(body):
    assert refused(BodyReader({}, 100), chunked(BytesIO(body))).status == 413


def test_a_body_without_an_end_is_not_read_on():
    class Endless:
        reads = 0

        def read(self, size=-1):
            self.reads += 1
            assert self.reads < 1000, "it reads on"
            return b"x" * min(size, 10)

    assert refused(BodyReader({}, 100), chunked(Endless())).status in {400, 413}


def test_what_is_too_large_is_not_parsed():
    assert refused(BodyReader({}, 10), posted(b"not JSON, and much too large")).status == 413


def test_pointers_lead_to_the_faults():
    schema = {
        "type": "object",
        "properties": {
            "a/b": {"items": {"properties": {"m~n": {"type": "integer"}}}},
            "": {"type": "integer"},
        },
        "required": ["here"],
    }
    bad = refused(BodyReader(schema, 1000), posted(b'{"a/b": [{}, {"m~n": "x"}], "": "y"}'))
    assert bad.status == 400
    assert sorted(error["pointer"] for error in bad.errors) == ["", "/", "/a~1b/1/m~0n"]
    assert all(error.keys() == {"pointer", "detail"} for error in bad.errors)


def test_of_endless_faults_only_the_first_are_looked_for():
    """A megabyte of small faults would keep a thread busy for long after the view's deadline."""

    class Faulty:
        told = 0

        def iter_errors(self, _value):
            while True:
                self.told += 1
                assert self.told <= 100, "it looks for all of them"
                yield ValidationError("wrong", path=[self.told])

    reader = BodyReader({}, 100)
    reader._validator = Faulty()
    assert len(refused(reader, posted(b"[]")).errors) == 20


def test_a_large_value_is_not_told_back():
    body = orjson.dumps({"a": "x" * 5000})
    bad = refused(BodyReader({"properties": {"a": {"type": "integer"}}}, 10_000), posted(body))
    assert len(bad.errors[0]["detail"]) <= 200


def test_a_schema_that_refers_to_itself_meets_a_deep_body():
    schema = {
        "$defs": {"l": {"type": "array", "items": {"$ref": "#/$defs/l"}}},
        "$ref": "#/$defs/l",
    }
    reader = BodyReader(schema, 10_000)
    assert reader.read(posted(b"[[[]]]")) == [[[]]]
    assert refused(reader, posted(b"[" * 900 + b"]" * 900)).status == 400


@pytest.mark.parametrize("value", ["a{99999999999999}", "(" * 5000])
def test_a_value_that_the_parser_of_its_format_gives_up_on_is_400(value):
    reader = BodyReader({"properties": {"r": {"format": "regex"}}}, 10_000)
    assert refused(reader, posted(orjson.dumps({"r": value}))).status == 400
    assert reader.read(posted(b'{"r": "a+"}')) == {"r": "a+"}


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(), st.lists))
def test_what_the_schema_allows_is_what_comes_out(value):
    try:
        body = orjson.dumps(value)
    except TypeError:
        return
    assert BodyReader({}, 1_000_000).read(posted(body)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_refused(body):
    with suppress(RequestRefused):
        assert isinstance(BodyReader({"type": "object"}, 30).read(posted(body)), dict)


# -- over the whole product ----------------------------------------------------------------------

WRITE = """\
post: /orders
body: {type: object, properties: {name: {type: string}}}
max_body: 1KB
call: {post: users:/x, json: "{body}"}
"""


@pytest.fixture
def shop(site):
    return site(WRITE, users=lambda request: StubReply.json(request.json()))


def test_a_body_goes_through(shop):
    client = shop.app.test_client()
    reply = client.post("/web/orders", json={"name": "Löv"}, headers={"Host": "shop.example"})
    assert reply.get_json() == {"name": "Löv"}


@pytest.mark.parametrize("body", [b"{", b'{"name": 1}', b'"' + b"x" * 2000 + b'"', b"[" * 500])
def test_nothing_reaches_a_service_for_a_bad_one(shop, body):
    headers = {"Host": "shop.example", "Content-Type": "application/json"}
    reply = shop.app.test_client().post("/web/orders", data=body, headers=headers)
    assert reply.status_code in {400, 413}
    assert reply.mimetype == "application/problem+json"
    assert reply.get_json()["id"] == reply.headers["X-Request-Id"]
    assert shop.stubs.requests() == []


@pytest.mark.parametrize(
    "body", [b'{"name": 99999999999999999999999}', b'{"n": 18446744073709551616}']
)
def test_a_number_that_json_has_and_we_have_not_is_no_500(shop, body):
    headers = {"Host": "shop.example", "Content-Type": "application/json"}
    reply = shop.app.test_client().post("/web/orders", data=body, headers=headers)
    assert reply.status_code in {200, 400}


@pytest.mark.parametrize(("size", "status"), [(10, 200), (2000, 413)])
def test_a_body_in_chunks_is_read_and_bounded(shop, size, status):
    """Over a real socket: no Content-Length says beforehand how much there is."""
    body = orjson.dumps({"name": "x" * size})
    parts = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:5], body[5:])]
    with (
        golden._serving(shop.app) as port,
        closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection,
    ):
        connection.putrequest("POST", "/web/orders", skip_host=True)
        connection.putheader("Host", "shop.example")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(b"".join(parts) + b"0\r\n\r\n")  # in one go
        with connection.getresponse() as response:
            response.read()
            assert response.status == status


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        (b"[" * 64 + b"]" * 64, True),
        (b"[" * 65 + b"]" * 65, False),
        (b'{"a":' * 64 + b"1" + b"}" * 64, True),
        (b'{"a":' * 65 + b"1" + b"}" * 65, False),
        (b"[" + b",".join([b'{"a": [1]}'] * 500) + b"]", True),  # wide is not deep
        (b'["' + b"[" * 500 + b'"]', True),  # nor is a text
    ],
)
def test_a_body_is_nested_no_deeper_than_anybody_needs(body, fits):
    reader = BodyReader({}, 100_000)
    if fits:
        assert reader.read(posted(body)) == orjson.loads(body)
    else:
        assert "levels deep" in refused(reader, posted(body)).detail
