"""Views that are streams: who gets one, what is asked for it, and what is none."""

from threading import Thread

import pytest
from flask import g

from bff.dev.stubs.stub import StubReply
from bff.errors import LoginRequired, StoreAway
from bff.model.principal import Principal
from bff.web.event_streams import _ByteOrderMark

ADA = Principal("https://id.example", "ada", token="hers")
VIEW = """
get: /orders/{id}/events
stream: events
params:
  id: {type: integer}
  since: {type: integer, default: 0, maximum: 9}
call:
  get: "orders:/of/{session.sub}/{params.id}"
  query: [since]
  headers: {X-Frontend: "{frontend}"}
  forward: [X-App]
  respond: [X-Own]
"""
EVENTS = b"id: 1\ndata: one\n\n"


def replying(status=200, body=EVENTS, kind="text/event-stream", headers=()):
    given = [("Content-Type", kind)] if kind else []
    return lambda _: StubReply(status, [*given, *headers], body)


@pytest.fixture
def stream(site):
    def make(answer=None, view=VIEW, principal=lambda *_: ADA, **more):
        return site(view, orders=answer or replying(), principal=principal, **more)

    return make


def test_events_are_passed_on_as_they_are(stream):
    reply = stream().get("/web/orders/7/events")
    assert reply.status_code == 200
    assert reply.data == b":\n" + EVENTS
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert reply.headers["Cache-Control"] == "no-store, no-transform"
    assert reply.headers["X-Accel-Buffering"] == "no"
    assert "Cookie" in reply.headers["Vary"]


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize("body", [MARK + EVENTS, MARK, MARK + MARK + EVENTS, b"\xef\xbb:" + EVENTS])
def test_a_byte_order_mark_before_the_first_event_is_left_out(stream, body):
    reply = stream(replying(body=body)).get("/web/orders/7/events")
    assert reply.data == b":\n" + body.removeprefix(MARK)


def test_a_byte_order_mark_may_come_in_pieces():
    for pieces in ([b"\xef", b"\xbb", b"\xbfdata", MARK], [b"\xef\xbb", b"\xbf", b"data", MARK]):
        mark = _ByteOrderMark()
        assert b"".join(map(mark.removed, pieces)) == b"data" + MARK
    other = _ByteOrderMark()
    assert [other.removed(piece) for piece in (b"\xef", b"x", MARK)] == [b"", b"\xefx", MARK]


def test_the_service_is_asked_as_the_call_says(stream):
    shop = stream(service=", credentials: relay")
    headers = [("X-App", "3"), ("Last-Event-ID", "41"), ("Cookie", "dev-bff=s"), ("X-Other", "x")]
    shop.get("/web/orders/7/events?since=3&more=x", headers=headers)
    (asked,) = shop.stubs.requests()
    sent = {name.lower(): value for name, value in asked.headers}
    assert asked.target == "/of/ada/7?since=3"
    wanted = {
        "accept": "text/event-stream",
        "accept-encoding": "identity",
        "x-frontend": "web",
        "x-app": "3",
        "last-event-id": "41",
        "authorization": "Bearer hers",
    }
    assert {name: sent.get(name) for name in wanted} == wanted
    assert not {"cookie", "x-other"} & sent.keys()


def test_only_declared_headers_of_the_reply_come_down(stream):
    headers = [("X-Own", "a"), ("X-Inside", "b"), ("Set-Cookie", "c=d")]
    reply = stream(replying(headers=headers)).get("/web/orders/7/events")
    assert reply.headers["X-Own"] == "a"
    assert not {"X-Inside", "Set-Cookie"} & set(reply.headers.keys())


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("/web/orders/x/events", ["id"]),
        ("/web/orders/7/events?since=10", ["since"]),
        ("/web/orders/x/events?since=a", ["id", "since"]),
    ],
)
def test_bad_parameters_are_400_and_reach_no_service(stream, path, wrong):
    shop = stream()
    reply = shop.get(path)
    assert reply.status_code == 400
    assert [each["parameter"] for each in reply.json["errors"]] == wrong
    assert not shop.stubs.requests()


def test_a_value_that_fits_no_request_is_400_and_reaches_no_service(stream):
    shop = stream(view=VIEW.replace("id: {type: integer}", "id: {type: string}"))
    reply = shop.get("/web/orders/%2e%2e/events")
    assert (reply.status_code, reply.mimetype) == (400, "application/problem+json")
    wrong = {"parameter": "id", "in": "path", "detail": "cannot be sent to a service"}
    assert reply.json["errors"] == [wrong]
    assert not shop.stubs.requests()


@pytest.mark.parametrize(("error", "status"), [(LoginRequired("no"), 401), (StoreAway("no"), 503)])
def test_nobody_gets_one_who_may_not(stream, error, status):
    def nobody(*_):
        raise error

    shop = stream(principal=nobody)
    assert shop.get("/web/orders/7/events").status_code == status
    assert not shop.stubs.requests()


def test_what_the_view_requires_is_required(stream):
    shop = stream(view=VIEW + "require: {scope: orders.read}\n")
    assert shop.get("/web/orders/7/events").status_code == 403
    assert not shop.stubs.requests()


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (replying(404), 502, "status"),
        (replying(409), 409, "status"),
        (replying(500), 502, "status"),
        (replying(302, b"", headers=[("Location", "/elsewhere")]), 502, "status"),
        (replying(200, b"{}", "application/json"), 502, "bad_reply"),
        (replying(200, b"", ""), 502, "bad_reply"),
        (replying(200, b"x", headers=[("Content-Encoding", "gzip")]), 502, "bad_reply"),
    ],
)
def test_what_is_no_stream_is_a_problem(stream, answer, status, reason):
    shop = stream(answer, VIEW.rstrip() + "\n  pass: [409]\n")
    reply = shop.get("/web/orders/7/events")
    assert reply.status_code == status
    assert reply.mimetype == "application/problem+json"
    assert (reply.json["call"], reply.json["reason"]) == ("call", reason)


def test_a_service_that_takes_the_token_no_more_is_asked_once_more_and_then_it_is_401(stream):
    shop = stream(replying(401, b""), service=", credentials: relay")
    reply = shop.get("/web/orders/7/events")
    assert reply.status_code == 401
    assert "WWW-Authenticate" in reply.headers
    assert len(shop.stubs.requests()) == 2


def test_a_service_that_has_nothing_more_to_say_says_so(stream):
    reply = stream(replying(204, b"", "")).get("/web/orders/7/events")
    assert (reply.status_code, reply.data) == (204, b"")


def test_one_stream_too_many_is_503_and_each_that_ends_makes_room(site):
    view = VIEW.replace("{session.sub}", "me")
    shop = site(view, orders=replying(), root="streams: 1%\n", principal=lambda *_: ADA)
    client = shop.app.test_client()
    first = client.get("/web/orders/7/events", headers={"Host": "shop.example"}, buffered=False)
    assert next(first.response) == b":\n"
    second = shop.get("/web/orders/7/events")
    assert (second.status_code, "Retry-After" in second.headers) == (503, True)
    first.close()
    assert shop.get("/web/orders/7/events").status_code == 200


def test_a_stream_that_never_was_makes_room(site):
    shop = site(VIEW, orders=replying(500), root="streams: 1%\n", principal=lambda *_: ADA)
    for _ in range(3):
        assert shop.get("/web/orders/7/events").status_code == 502


def test_a_thread_that_cannot_be_started_makes_room(site, monkeypatch):
    shop = site(VIEW, orders=replying(), root="streams: 1%\n", principal=lambda *_: ADA)
    start = Thread.start

    def refuse(thread):
        if thread.name == "bff-events":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", refuse)
        for _ in range(3):
            reply = shop.get("/web/orders/7/events")
            assert (reply.status_code, "Retry-After" in reply.headers) == (503, True)
    assert shop.get("/web/orders/7/events").status_code == 200


def test_what_nobody_foresaw_in_a_stream_is_a_502_and_makes_room(site):
    shop = site(VIEW, orders=replying(), root="streams: 1%\n", principal=lambda *_: ADA)
    handler = shop.app.view_functions["web.v0"]
    exchange = handler._streaming_call._exchange

    class Wrapping:
        def stream(self, *asked):
            incoming = exchange.stream(*asked)
            incoming.headers = None  # no code has ever seen that
            return incoming

    handler._streaming_call._exchange = Wrapping()
    for _ in range(3):
        reply = shop.get("/web/orders/7/events")
        assert (reply.status_code, reply.json["reason"]) == (502, "internal")
    handler._streaming_call._exchange = exchange
    assert shop.get("/web/orders/7/events").status_code == 200
    assert handler._web.runtime.guards["orders"].snapshot().in_flight == 0


@pytest.mark.parametrize("location", ["http://[", "http://[\xe9"])
def test_a_location_that_is_no_address_is_left_out(site, location):
    view = VIEW.replace("respond: [X-Own]", "respond: [X-Own, Location]")
    answer = replying(headers=[("Location", location)])
    shop = site(view, orders=answer, principal=lambda *_: ADA)
    reply = shop.get("/web/orders/7/events")
    assert (reply.status_code, "Location" in reply.headers) == (200, False)


def test_what_cannot_be_filled_in_is_a_problem(stream):
    shop = stream(principal=lambda *_: Principal(), view=VIEW + "access: optional\n")
    reply = shop.get("/web/orders/7/events")
    assert (reply.status_code, reply.json["reason"]) == (502, "unfillable")
    assert not shop.stubs.requests()


def test_a_stream_that_wants_to_know_the_visitor_does(stream):
    def somebody(_, rule):
        g.cookies = ("visitor=v-1",) if rule.visitor else ()
        return Principal(visitor="v-1" if rule.visitor else "")

    view = VIEW.replace("session.sub", "session.visitor") + "access: optional\n"
    shop = stream(principal=somebody, view=view)
    reply = shop.get("/web/orders/7/events")
    assert (reply.status_code, reply.headers.getlist("Set-Cookie")) == (200, ["visitor=v-1"])
    assert [each.target for each in shop.stubs.requests()] == ["/of/v-1/7?since=0"]


def test_the_head_of_a_stream_opens_none(stream):
    shop = stream()
    reply = shop.get("/web/orders/7/events", method="HEAD")
    assert (reply.status_code, reply.data) == (200, b"")
    assert reply.headers["Content-Type"] == "text/event-stream"
    assert shop.get("/web/orders/x/events", method="HEAD").status_code == 400
    assert not shop.stubs.requests()


def test_a_stream_is_no_part_of_a_batch(stream):
    shop = stream(batch=2)
    headers = {"Host": "shop.example", "X-CSRF": "1"}
    body = {"requests": {"a": "/orders/7/events"}}
    reply = shop.app.test_client().post("/web/_batch", json=body, headers=headers)
    assert reply.json["responses"]["a"]["status"] == 404
    assert not shop.stubs.requests()


def test_whoever_listens_is_heard_of_when_it_ends(stream):
    shop = stream()
    shop.get("/web/orders/7/events").close()
    (heard,) = shop.heard
    assert (heard.view, heard.frontend, heard.status) == ("v0", "web", 200)


def test_a_deprecated_stream_says_so(stream):
    shop = stream(view=VIEW + "deprecated: 2026-01-31\nsunset: 2027-01-31\n")
    assert {"Deprecation", "Sunset"} <= set(shop.get("/web/orders/7/events").headers.keys())
