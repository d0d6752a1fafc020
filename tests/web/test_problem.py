"""Errors are RFC 9457 problems, and say nothing of the inside."""

import logging

import pytest
from flask import Flask, g

from bff.dev.stubs.stub import StubReply
from bff.observe.boundary import ErrorBoundary
from bff.web.problem import handle_errors
from tests.web.conftest import HOST

VIEW = """
get: /home/{id}
params: {n: {type: integer, default: 1}}
call: {get: users:/x, pass: [404, 499, 599]}
"""


def problem(reply, status):
    assert reply.status_code == status
    assert reply.mimetype == "application/problem+json"
    assert reply.headers["Cache-Control"] == "no-store"
    content = reply.get_json()
    assert content["status"] == status
    assert content["title"]
    assert content["id"] == reply.headers["X-Request-Id"]
    return content


@pytest.fixture
def shop(site):
    return site(VIEW, users=lambda _: StubReply.json({"n": 1}))


@pytest.mark.parametrize(
    "path", ["/", "/web", "/web/home", "/web/home/1/", "/web//home/1", "/mobile/x"]
)
def test_what_is_not_there_is_404(shop, path):
    assert problem(shop.get(path), 404)["title"] == "Not Found"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"])
def test_what_cannot_be_done_is_405_and_says_what_can(shop, method):
    reply = shop.get("/web/home/1", method=method)
    assert problem(reply, 405)["title"] == "Method Not Allowed"
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert shop.stubs.requests() == []


def test_options_says_what_can_be_done_and_asks_nobody(shop):
    reply = shop.get("/web/home/1", method="OPTIONS")
    assert (reply.status_code, reply.data) == (204, b"")
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert shop.stubs.requests() == []


def test_head_is_get_without_a_body(shop):
    reply = shop.get("/web/home/1", method="HEAD")
    assert (reply.status_code, reply.data) == (200, b"")
    assert reply.headers["BFF-Calls"] == "call=ok"


@pytest.mark.parametrize(("query", "status"), [("q=\xff", 400), ("q=\xc3\xa4", 200), ("", 200)])
def test_bytes_of_a_query_that_are_no_text_are_refused(shop, query, status):
    raw = {"QUERY_STRING": query}  # as WSGI has it: bytes as Latin-1
    reply = shop.app.test_client().get("/web/home/1", environ_overrides=raw, headers={"Host": HOST})
    assert reply.status_code == status
    assert len(shop.stubs.requests()) == (status == 200)


def test_nobody_signed_in_is_401_and_nothing_is_sent(site):
    from bff.model.principal import NOBODY

    shop = site(VIEW, users=lambda _: StubReply.json(1), principal=lambda *_: NOBODY)
    problem(shop.get("/web/home/1?n=bad"), 401)
    assert shop.stubs.requests() == []


def test_every_bad_parameter_is_named(site):
    shop = site(
        "get: /s/{id}\nstrict: true\nparams:\n  id: {type: integer}\n  a: {type: integer}\n"
        "  b: {enum: [x]}\n  c: {default: ok}\ncall: {get: users:/x}\n",
        users=lambda _: StubReply.json(1),
    )
    content = problem(shop.get("/web/s/one?b=1&b=2&zz=1&c=fine"), 400)
    assert content["errors"] == [
        {"parameter": "id", "in": "path", "detail": "is not of type integer"},
        {"parameter": "a", "in": "query", "detail": "is required"},
        {"parameter": "b", "in": "query", "detail": "is given more than once"},
        {"parameter": "zz", "in": "query", "detail": "is not declared"},
    ]
    assert shop.stubs.requests() == []


def test_the_value_of_a_bad_parameter_is_not_repeated(shop):
    assert "SECRET" not in shop.get("/web/home/1?n=SECRET").text


@pytest.mark.parametrize("query", ["n=%FF", "n=%", "n=1%00", "%FF=1&n=1", "n=1;n=2", "&&&=&n", "n"])
def test_odd_queries_are_400_or_fine(shop, query):
    assert shop.get(f"/web/home/1?{query}").status_code in {200, 400}


def failing(**boundary):
    """An app of which one view raises."""
    app = Flask(__name__)
    app.before_request(lambda: setattr(g, "request_id", "abc"))
    handle_errors(app, ErrorBoundary(**boundary))

    def broken():
        raise RuntimeError("S3CRET of somebody")

    app.add_url_rule("/broken", view_func=broken)
    return app


def test_a_developer_is_shown_what_was_raised_and_where():
    reply = failing(raises=True).test_client().get("/broken")
    assert reply.status_code == 500
    content = reply.get_json()
    assert content["error"] == "RuntimeError"
    assert "in broken" in content["trace"][-1]


def test_a_test_gets_what_was_raised():
    app = failing()
    app.testing = True
    with pytest.raises(RuntimeError, match="S3CRET"):
        app.test_client().get("/broken")


def test_what_ends_a_request_is_reported_with_its_id():
    reported = []
    failing(observer=reported.append).test_client().get("/broken")
    assert [(each.part, each.id, type(each.error)) for each in reported] == [
        ("request", "abc", RuntimeError)
    ]


def test_an_exception_in_a_view_is_500_without_its_message(shop, caplog):
    def broken():
        raise RuntimeError("S3CRET of somebody")

    shop.app.add_url_rule("/broken", view_func=broken)
    with caplog.at_level(logging.ERROR, "bff"):
        reply = shop.get("/broken")
    content = problem(reply, 500)
    assert content.keys() == {"title", "status", "id"}
    assert "S3CRET" not in reply.text
    (record,) = caplog.records
    assert record.id == content["id"]
    assert "S3CRET" not in record.getMessage()


@pytest.mark.parametrize(
    ("upstream", "status"),
    [
        (404, 404),
        (403, 502),
        (499, 499),
        (599, 599),
        (500, 502),
        (503, 502),
        (302, 502),
        (304, 502),
    ],
)
def test_a_required_call_that_failed(site, upstream, status):
    shop = site(VIEW, users=lambda _: StubReply(upstream, [], b""))
    content = problem(shop.get("/web/home/1"), status)
    assert (content["call"], content["reason"]) == ("call", "status")


VALUES = {"deep": b"[" * 400 + b"]" * 400, "deeper": b'{"a":' * 900 + b"1" + b"}" * 900}


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (VALUES["deep"], ""),
        (VALUES["deeper"], ""),
        (b"1", f"?q={'9' * 30}"),
        (b"1e999", ""),
        (b'"\\ud800"', ""),
        (b"[NaN]", ""),
        (b"\xff", ""),
        (b"{", ""),
        (b"99999999999999999999", ""),
    ],
)
def test_no_reply_and_no_parameter_makes_a_500(site, body, query):
    shop = site(
        "get: /x\nparams: {q: {default: ''}}\n"
        "call: {get: users:/x}\nshape: {all: call, n: 'to_number(params.q)'}\n",
        users=lambda _: StubReply(200, [("Content-Type", "application/json")], body),
    )
    reply = shop.get(f"/web/x{query}")
    assert reply.status_code in {200, 502}
    assert reply.get_json()
