"""What a reply means: its value, or why it has none."""

import base64
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.declare.config import assemble
from bff.declare.load import parse
from bff.engine.decode import read_reply
from bff.errors import BadReply, BadStatus, Unfillable
from bff.model.exchange import Reply
from bff.plan.compile import compile_call

ROOT = """
version: 1
frontends: {web: {access: none}}
services: {s: {url: "http://127.0.0.1:1"}}
"""


def compiled(options=""):
    view = parse(f"get: /home\ncall: {{get: s:/x{options}}}\n", "home.yaml", {})
    config = assemble(parse(ROOT, "bff.yaml", {}), {"home": view}, {})
    return compile_call(config.views[0].calls[0], config.services["s"])


CALLS = {kind: compiled(f", decode: {kind}") for kind in ("json", "text", "xml", "bytes", "none")}
FULL = {kind: compiled(f", decode: {kind}, reply: full") for kind in CALLS}


def reply(body, media_type=None, status=200, **headers):
    own = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    typed = () if media_type is None else (("content-type", media_type),)
    return Reply(status, (*typed, *own), body)


def read(kind, body, media_type=None):
    return read_reply(CALLS[kind], reply(body, media_type))


VALUES = [
    ("json", b'{"a": [1, null]}', "application/json", {"a": [1, None]}),
    ("json", b"1", "Application/JSON; charset=utf-8", 1),
    ("json", b"1", "application/problem+json", 1),
    ("json", b"1", None, 1),
    ("json", b"", "text/html", None),
    ("text", "ö".encode(), "text/plain", "ö"),
    ("text", b"\xf6", "text/plain; charset=latin-1", "ö"),
    ("text", b"\xef\xbb\xbfa", "text/plain", "a"),
    ("text", "a".encode("utf-16"), "text/plain; charset=utf-16", "a"),
    ("json", b"\xef\xbb\xbf[1]", "application/json", [1]),
    ("xml", b"\xef\xbb\xbf<a>1</a>", "application/xml", {"a": "1"}),
    ("text", b"\xf6", 'text/plain; format=flowed; CHARSET="ISO-8859-1"', "ö"),
    ("text", b"\xf6", "text/plain; charset=iso-8859-1; format=flowed", "ö"),
    ("text", b"<p>", None, "<p>"),
    ("text", b"", None, None),
    ("xml", b"<a/>", "text/xml", {"a": None}),
    ("xml", b"<a>1</a>", None, {"a": "1"}),
    ("xml", b"<a><b>1</b><b>2</b></a>", "application/atom+xml", {"a": {"b": ["1", "2"]}}),
    ("xml", b'<a x="1">t</a>', "application/xml", {"a": {"@x": "1", "#text": "t"}}),
    ("xml", b"<!-- c --><a><![CDATA[<b>]]></a>", "text/xml", {"a": "<b>"}),
    (
        "xml",
        '<?xml version="1.0" encoding="ISO-8859-1"?><a>ö</a>'.encode("latin-1"),
        "text/xml",
        {"a": "ö"},
    ),
    ("bytes", b"\x00\xff", "image/png", base64.b64encode(b"\x00\xff").decode()),
    ("bytes", b"", None, None),
    ("none", b"\xff<html>", "text/html", None),
]


@pytest.mark.parametrize(("kind", "body", "media_type", "wanted"), VALUES)
def test_values(kind, body, media_type, wanted):
    assert read(kind, body, media_type) == wanted


EMPTY_BAD = [
    ("", "application/json", 200),
    ("", "Application/Problem+JSON; charset=utf-8", 203),
    ("", "text/xml", 200),
    (", decode: xml", "application/atom+xml", 200),
    (", reply: full", "application/json", 206),
    (", path: a", "application/json", 200),
]
EMPTY_GOOD = [
    (", decode: text", "application/json", 200),
    (", decode: bytes", "application/json", 200),
    (", decode: none", "application/json", 200),
    ("", None, 200),
    ("", "text/plain", 200),
    ("", "application/json", 204),
    ("", "application/json", 205),
    (", safe: false", "application/json", 200),
    (", status: {404: reply}", "application/json", 404),
]


@pytest.mark.parametrize(("options", "media_type", "status"), EMPTY_BAD)
def test_a_promised_value_without_a_byte_is_a_bad_reply(options, media_type, status):
    with pytest.raises(BadReply, match="has no body"):
        read_reply(compiled(options), reply(b"", media_type, status))


@pytest.mark.parametrize(("options", "media_type", "status"), EMPTY_GOOD)
def test_a_reply_without_a_byte_is_null_where_none_was_promised(options, media_type, status):
    value = read_reply(compiled(options), reply(b"", media_type, status))
    assert value is None or value["body"] is None


def test_a_reply_without_a_byte_is_null_where_nothing_reads_it():
    call = replace(compiled(), unread=True)
    assert read_reply(call, reply(b"", "application/json")) is None


BAD = [
    ("json", b"1", "text/html"),
    ("json", b"{", "application/json"),
    ("json", b"NaN", "application/json"),
    ("json", b"\xff", "application/json"),
    ("text", b"\xff", "text/plain"),
    ("text", b"\xff", "text/plain; charset=ascii"),
    ("text", b"x", "text/plain; charset=klingon"),
    ("text", b"eA==", "text/plain; charset=base64"),
    ("text", b"x", "text/plain; charset=rot13"),
    ("text", b"x", "text/plain; charset=undefined"),
    ("text", b"x", "text/plain; charset=a\0b"),
    ("text", b"\\ud800", "text/plain; charset=unicode_escape"),
    ("text", b"\\ud800", "text/plain; charset=raw_unicode_escape"),
    ("text", b"+2AA-", "text/plain; charset=utf-7"),
    ("xml", b"<a>", "text/xml"),
    ("xml", b"<a></b>", "text/xml"),
    ("xml", b"x", "text/xml"),
    ("xml", b"<a>\x00</a>", "text/xml"),
    ("xml", b"<a/><b/>", "text/xml"),
    ("xml", b"<a>1</a>", "application/json"),
    ("xml", b"<p>1</p>", "text/html"),
    ("xml", b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "text/xml"),
    ("xml", b'<!DOCTYPE a [<!ENTITY e "x">]><a>unused</a>', "text/xml"),
    ("xml", b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', "text/xml"),
    ("xml", b'<!DOCTYPE a [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]><a/>', "text/xml"),
    ("xml", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a>&e;</a>', "text/xml"),
    ("xml", b"<a>&e;</a>", "text/xml"),
    ("xml", b'<?xml version="1.0" encoding="klingon"?><a/>', "text/xml"),
]


@pytest.mark.parametrize(("kind", "body", "media_type"), BAD, ids=range(len(BAD)))
def test_bad_replies(kind, body, media_type):
    with pytest.raises(BadReply):
        read(kind, body, media_type)


def test_many_entities_cost_nothing():
    lines = [b'<!ENTITY a0 "S3CRET">']
    lines += [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)]
    with pytest.raises(BadReply) as caught:
        read("xml", b"<!DOCTYPE r [" + b"".join(lines) + b"]><r>&a11;</r>", "text/xml")
    assert "S3CRET" not in str(caught.value)


def test_xml_as_deep_as_can_be_answered():
    """What is nested deeper than can be written as JSON is a bad reply, not a crash later."""
    for depth in (10, 200, 300, 5000):
        try:
            value = read("xml", b"<a>" * depth + b"</a>" * depth, "text/xml")
        except BadReply:
            continue
        orjson.dumps(value)


@given(st.sampled_from(sorted(CALLS)), st.binary(max_size=60), st.text(max_size=30) | st.none())
def test_any_bytes_are_a_value_or_a_bad_reply(kind, body, media_type):
    try:
        value = read(kind, body, media_type)
    except BadReply:
        return
    orjson.dumps(value)


CHARSETS = ["utf-7", "utf-16", "utf-32", "unicode_escape", "raw_unicode_escape", "idna", "punycode"]


@given(st.sampled_from(CHARSETS), st.binary(max_size=40))
def test_any_charset_is_a_value_or_a_bad_reply(charset, body):
    try:
        value = read("text", body, f"text/plain; charset={charset}")
    except BadReply:
        return
    orjson.dumps(value)


# -- statuses and full replies ------------------------------------------------------------------


@pytest.mark.parametrize("status", [300, 302, 304, 400, 404, 500, 599, 100, 199])
def test_other_statuses_are_failures(status):
    with pytest.raises(BadStatus) as caught:
        read_reply(compiled(), reply(b"1", "application/json", status))
    assert caught.value.upstream_status == status


def test_a_status_may_have_a_value_of_its_own():
    call = compiled(", status: {404: {none: [1]}}, path: x")
    found = read_reply(call, reply(b"<html>", "text/html", 404)).value
    assert found == {"none": [1]}
    found["none"].append(2)
    assert read_reply(call, reply(b"", None, 404)).value == {"none": [1]}


def test_a_full_reply():
    headers = {"x_a": "1", "set_cookie": "sid=S3CRET", "set_cookie2": "S3CRET"}
    value = read_reply(FULL["json"], reply(b'{"a": 1}', "application/json", 206, **headers))
    wanted = {"content-type": "application/json", "x-a": "1"}
    assert value == {"status": 206, "headers": wanted, "body": {"a": 1}}


def test_headers_that_stand_twice_are_joined():
    headers = (("link", "<a>"), ("x", "y"), ("link", "<b>"))
    value = read_reply(FULL["json"], Reply(200, headers, b""))
    assert value == {"status": 200, "headers": {"link": "<a>, <b>", "x": "y"}, "body": None}


@pytest.mark.parametrize(("kind", "body"), [("none", None), ("text", "<p>"), ("bytes", "PHA+")])
def test_a_full_reply_is_decoded_as_declared(kind, body):
    assert read_reply(FULL[kind], reply(b"<p>", "text/html"))["body"] == body


def test_a_full_reply_must_be_what_it_is_declared_to_be():
    with pytest.raises(BadReply):
        read_reply(FULL["json"], reply(b"<p>", "text/html"))


def test_a_part_of_a_full_reply():
    call = compiled(", reply: full, path: 'body.a'")
    assert read_reply(call, reply(b'{"a": 1}', "application/json")) == 1


def test_a_part_that_cannot_be_computed():
    with pytest.raises(Unfillable):
        read_reply(compiled(", path: 'length(a)'"), reply(b"{}", "application/json"))


@pytest.mark.parametrize(
    ("body", "media_type", "wanted"),
    [
        (b'{"code": 7}', "application/problem+json", {"code": 7}),
        (b"<html>", "text/html", None),
        (b"{", "application/json", None),
        (b"", None, None),
    ],
)
def test_a_failure_that_is_kept(body, media_type, wanted):
    call = compiled(", status: {404: reply}")
    value = read_reply(call, reply(body, media_type, 404, set_cookie="S3CRET"))
    assert (value["status"], value["body"]) == (404, wanted)
    assert "S3CRET" not in str(value)
    with pytest.raises(BadStatus):
        read_reply(call, reply(body, media_type, 410))
    assert read_reply(call, reply(b"[1]", "application/json")) == [1]
