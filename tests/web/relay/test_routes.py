"""Relays: what crosses them, in both directions, and what never does."""

import gzip
from dataclasses import replace
from threading import Thread

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from bff.dev.stubs.stub import StubReply
from bff.errors import LoginRequired
from bff.model.principal import Principal
from bff.model.relay import Relay, called_by
from bff.model.service import Bearing, Grant, Service
from bff.model.source import Place
from tests.faults.streaming import get
from tests.web.test_target import LEADS, LEADS_NOWHERE

FILES = "relay: /files/{path...} -> files:/v1/{path...}\nmethods: [GET, PUT, POST, DELETE]\n"


def echo(request):
    """What the service was sent."""
    return StubReply.json(
        {
            "method": request.method,
            "target": request.target,
            "headers": {name.lower(): value for name, value in request.headers},
            "body": request.body.decode(),
        }
    )


@pytest.fixture
def relayed(site):
    """An app with one relay and the service behind it."""

    def make(more="", answer=echo, relay=FILES, **parts):
        return site(relays=[relay + more], files=answer, **parts)

    return make


def ask(shop, path="/web/files/a", method="GET", headers=(), body=None, **more):
    given = [("Host", "shop.example"), *headers]
    client = shop.app.test_client(use_cookies=False)
    return client.open(path, method=method, headers=given, data=body, **more)


def replying(*headers, status=200, body=b"content"):
    return lambda _: StubReply(status, headers, body)


def test_method_target_and_body_go_on_as_they_are(relayed):
    shop = relayed()
    reply = ask(shop, "/web/files/a/b%20c?x=1&x=%2e", "PUT", [("Content-Type", "text/x")], b"hello")
    assert reply.json["method"] == "PUT"
    assert reply.json["target"] == "/v1/a/b%20c?x=1&x=%2e"
    assert reply.json["body"] == "hello"
    assert reply.json["headers"]["content-type"] == "text/x"
    assert reply.json["headers"]["content-length"] == "5"


def test_the_usual_headers_go_up_and_no_others(relayed):
    usual = {
        "Accept": "image/*",
        "Accept-Encoding": "br",
        "Range": "bytes=0-1",
        "If-Range": '"x"',
        "If-None-Match": '"y"',
        "If-Modified-Since": "Thu, 01 Jan 2026 00:00:00 GMT",
        "Last-Event-ID": "7",
    }
    others = {
        "Authorization": "Bearer mine",
        "Cookie": "dev-bff=s; __Host-Http-bff=t; theme=dark",
        "X-CSRF": "1",
        "X-Forwarded-For": "1.2.3.4",
        "X-Own": "a",
        "TE": "trailers",
        "Upgrade": "h2c",
        "Forwarded": "for=x",
    }
    sent = ask(relayed(), headers=[*usual.items(), *others.items()]).json["headers"]
    assert {name: sent[name.lower()] for name in usual} == usual
    assert not {name.lower() for name in others} & sent.keys()


def test_what_the_client_ties_to_its_connection_stays_there(relayed):
    sent = ask(relayed(), headers=[("Connection", "range"), ("Range", "bytes=0-1")]).json
    assert "range" not in sent["headers"]


def test_nothing_is_compressed_for_a_client_that_did_not_ask_for_it(relayed):
    assert ask(relayed()).json["headers"]["accept-encoding"] == "identity"


def test_declared_headers_and_cookies_go_up(relayed):
    shop = relayed("forward: [X-Own]\ncookies: [theme]\n")
    sent = ask(shop, headers=[("X-Own", "a"), ("Cookie", "x=1; theme=dark; dev-bff=s")]).json
    assert sent["headers"]["x-own"] == "a"
    assert sent["headers"]["cookie"] == "theme=dark"


def test_a_coded_body_comes_down_as_it_is(relayed):
    packed = gzip.compress(b"content" * 100)
    shop = relayed(answer=replying(("Content-Encoding", "gzip"), ("Vary", "Accept"), body=packed))
    reply = ask(shop, headers=[("Accept-Encoding", "gzip")])
    assert reply.data == packed
    assert reply.headers["Content-Encoding"] == "gzip"
    assert "Accept" in reply.headers["Vary"]


CHUNKED = ("Transfer-Encoding", "chunked")


def test_a_length_that_the_reply_does_not_go_by_is_not_told(relayed):
    reply = ask(
        relayed(answer=replying(CHUNKED, ("Content-Length", "50"), body=b"2\r\nhi\r\n0\r\n\r\n"))
    )
    assert reply.data == b"hi"
    assert "Content-Length" not in reply.headers


NO_CHUNKS = [b"zz\r\n", b"-1\r\n", b"2 hi\r\n"]


@pytest.mark.parametrize("body", NO_CHUNKS)
def test_a_body_that_breaks_off_before_its_first_byte_is_no_answer(relayed, body):
    shop = relayed(answer=replying(CHUNKED, body=body), service=", limit: 1")
    for _ in range(3):
        reply = ask(shop)
        assert (reply.status_code, reply.mimetype) == (502, "application/problem+json")
    assert held(shop) == 0


def test_a_stand_in_is_for_a_body_that_never_begins_too(relayed):
    shop = relayed("fallback: {status: 200, text: none}\n", replying(CHUNKED, body=b"zz\r\n"))
    assert (ask(shop).status_code, ask(shop).data) == (200, b"none")


def test_events_are_not_as_long_as_the_service_says_they_are(relayed):
    events = replying(("Content-Type", "text/event-stream"), body=b"\xef\xbb\xbfdata: 1\n\n")
    reply = ask(relayed(answer=events, relay=EVENTS))
    assert reply.data == b":\ndata: 1\n\n"
    assert "Content-Length" not in reply.headers


def test_events_are_asked_for_uncompressed(relayed):
    asked = ask(relayed(relay=EVENTS), headers=[("Accept-Encoding", "gzip, br")])
    assert asked.json["headers"]["accept-encoding"] == "identity"


def test_nothing_is_put_into_events_that_are_compressed_all_the_same(relayed):
    packed = gzip.compress(b"data: 1\n\n")
    headers = (("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip"))
    reply = ask(relayed(answer=replying(*headers, body=packed), relay=EVENTS))
    assert reply.data == packed


def test_a_part_and_its_range_come_down(relayed):
    headers = (("Content-Range", "bytes 0-6/99"), ("Accept-Ranges", "bytes"), ("ETag", '"1"'))
    reply = ask(relayed(answer=replying(*headers, status=206)))
    assert reply.status_code == 206
    assert {name: reply.headers[name] for name, _ in headers} == dict(headers)


def test_not_modified_comes_down_without_a_body(relayed):
    reply = ask(relayed(answer=replying(("ETag", '"1"'), status=304, body=b"")))
    assert (reply.status_code, reply.data, reply.headers["ETag"]) == (304, b"", '"1"')


def test_head_has_the_length_and_no_body(relayed):
    reply = ask(relayed(answer=replying(body=b"x" * 999)), method="HEAD")
    assert (reply.status_code, reply.headers["Content-Length"], reply.data) == (200, "999", b"")


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 404, 409, 412, 416, 500, 503])
def test_every_status_is_the_services_own(relayed, status):
    body = b"" if status == 204 else b"content"
    reply = ask(relayed(answer=replying(status=status, body=body)))
    assert (reply.status_code, reply.data) == (status, body)


def test_what_nobody_declared_does_not_come_down(relayed):
    headers = (
        ("Set-Cookie", "a=1"),
        ("X-Inside", "host-7"),
        ("Server", "x"),
        ("Location", "http://inside:9000/x"),
        ("X-Accel-Redirect", "/secret"),
        ("Access-Control-Allow-Origin", "*"),
    )
    reply = ask(relayed(answer=replying(*headers)))
    assert not {name for name, _ in headers} & {name for name, _ in reply.headers}


def test_cookies_that_are_declared_come_down_but_never_ones_with_names_of_ours(relayed):
    headers = (
        ("Set-Cookie", "theme=dark; Path=/"),
        ("Set-Cookie", "__Host-Http-bff=stolen; Path=/"),
        ("Set-Cookie", "dev-bff=stolen"),
        ("Set-Cookie", "theme2=x"),
    )
    reply = ask(relayed("respond: [Set-Cookie]\n", answer=replying(*headers)))
    assert reply.headers.getlist("Set-Cookie") == ["theme=dark; Path=/", "theme2=x"]


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("/v1/b?c=d", "/web/files/b?c=d"),
        ("/v2/b", None),
        ("/v1/../b", None),
        ("/v1/%2e%2e/b", None),
        ("//evil.example/v1/b", None),
        ("http://inside/v1/b", None),
        ("/v1//evil.example", None),
    ],
)
def test_a_redirect_leads_into_the_relay_or_nowhere(relayed, location, told):
    reply = ask(relayed(answer=replying(("Location", location), status=302)))
    assert reply.headers.get("Location") == told


def test_what_is_for_one_person_is_kept_by_no_shared_cache(relayed):
    answer = replying(("Cache-Control", "public, max-age=60, s-maxage=900"))
    ada = Principal("https://id.example", "ada")
    reply = ask(relayed(answer=answer, principal=lambda *_: ada))
    assert reply.headers["Cache-Control"] == "private, max-age=60"
    assert "Cookie" in reply.headers["Vary"]


def test_what_is_for_everybody_is_kept_as_the_service_says(relayed):
    reply = ask(relayed(answer=replying(("Cache-Control", "public, max-age=60"))))
    assert reply.headers["Cache-Control"] == "public, max-age=60"


def test_nobody_gets_through_who_may_not(relayed):
    def nobody(*_):
        raise LoginRequired("sign in first")

    shop = relayed(principal=nobody)
    assert ask(shop).status_code == 401
    assert not shop.stubs.requests()


@pytest.mark.parametrize(
    ("path", "method", "headers", "body", "status"),
    [
        ("/web/files/a%2fb", "GET", (), None, 400),
        ("/web/files/%2e%2e/a", "GET", (), None, 400),
        ("/web/files/a", "PATCH", (), None, 405),
        ("/web/files/a", "GET", (), b"body", 400),
        ("/web/files/a", "PUT", [("Transfer-Encoding", "chunked")], b"body", 400),
        ("/web/files/a", "PUT", [("Transfer-Encoding", "gzip, chunked")], None, 400),
        ("/web/files/a", "PUT", (), b"x" * 1025, 413),
        ("/web/files", "GET", (), None, 404),
    ],
)
def test_a_bad_request_reaches_no_service(relayed, path, method, headers, body, status):
    shop = relayed("max_body: 1KB\n")
    reply = ask(shop, path, method, headers, body)
    assert reply.status_code == status, reply.data
    assert reply.content_type == "application/problem+json"
    assert not shop.stubs.requests()


def test_without_the_raw_target_nothing_is_relayed(relayed):
    shop = relayed()
    reply = ask(shop, environ_overrides={"RAW_URI": "", "REQUEST_URI": ""})
    assert reply.status_code == 400
    assert not shop.stubs.requests()


def test_a_service_that_is_away_is_a_problem(relayed):
    shop = relayed()
    shop.stubs.set("files", state="down")
    reply = ask(shop)
    assert (reply.status_code, reply.json["reason"]) == (502, "unreachable")


def test_a_read_has_a_fallback_and_a_write_has_none(relayed):
    shop = relayed("fallback: {status: 200, text: later}\n")
    shop.stubs.set("files", state="down")
    reply = ask(shop)
    assert (reply.status_code, reply.data) == (200, b"later")
    assert reply.headers["Cache-Control"] == "no-store"
    assert ask(shop, method="PUT", body=b"x").status_code == 502
    shop.stubs.set("files", state="failing")
    assert ask(shop).data == b"later"


def test_what_was_relayed_is_told(relayed):
    shop = relayed()
    ask(shop).close()
    assert [(each.view, each.status) for each in shop.heard] == [("r0", 200)]


@pytest.fixture
def developed(relayed):
    """The same under Werkzeug's server, by which people run a Flask app for a moment."""
    shop = relayed()
    server = make_server("127.0.0.1", 0, shop.app, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.port, shop
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, *_args):
        """Say nothing."""


def test_under_the_development_server_no_target_leaves_its_tree_either(developed):
    port, shop = developed
    for target in LEADS_NOWHERE:
        answer = get(port, target or "x", "shop.example")
        # http.server takes slashes at the start for one, before anybody sees them
        assert answer.split(b" ")[1][:1] == (b"2" if target == "//web/files/a" else b"4"), target
    assert [each.target for each in shop.stubs.requests()] == ["/v1/a"]


def test_under_the_development_server_a_target_arrives_as_it_should(developed):
    port, shop = developed
    for target, wanted in LEADS:
        get(port, target, "shop.example")
        assert shop.stubs.requests()[-1].target == wanted


BASIC = "credentials: {basic: {user: a, password: b}}\n"


@pytest.mark.parametrize(
    ("own", "authorization"),
    [
        ("", "ours"),
        ("credentials: none\n", None),
        (BASIC, "Basic YTpi"),
        ("credentials: relay\n", "Bearer hers"),
        ("credentials: {api_key: {header: Authorization, value: key}}\n", "key"),
    ],
)
def test_a_relay_brings_its_own_credentials_in_the_place_of_the_services(
    relayed, own, authorization
):
    theirs = ", credentials: {api_key: {header: Authorization, value: ours}}"
    ada = Principal("https://id.example", "ada", token="hers")
    shop = relayed(own, service=theirs, principal=lambda *_: ada)
    assert ask(shop).json["headers"].get("authorization") == authorization


def test_a_read_with_credentials_of_the_relays_own_is_sent_once_more(relayed):
    sent = []

    def answer(request):
        sent.append(dict(request.headers))
        return StubReply(401 if len(sent) == 1 else 200)

    ada = Principal("https://id.example", "ada", token="hers")
    shop = relayed("credentials: relay\n", answer, principal=lambda *_: ada)
    assert ask(shop).status_code == 200
    assert len(sent) == 2


def test_a_relays_own_token_is_for_its_service_and_is_kept_apart():
    place = Place("x.yaml")
    service = Service("files", place, "http://files", 1.0, 1024, credentials="session")
    made = Bearing("exchange")
    relay = Relay("a", place, "/a", "files", "/a", ("web",), credentials=made)
    found = called_by(relay, {"files": service})
    assert (found.credentials, found.grant.audience) == ("exchange", "files")
    assert found.name != "files"
    assert called_by(replace(relay, credentials=None), {"files": service}) is service
    ours = replace(relay, credentials=Bearing("client", Grant(scope="read")))
    assert called_by(ours, {"files": service}).grant == Grant(scope="read")


# -- what a relay holds is given back, whatever a reply does to it ---------------------------------

EVENTS = "relay: /files/{path...} -> files:/v1/{path...}\nstream: events\n"
NO_ADDRESSES = ["http://[", "//[", "http://a:b/", "http://[\xe9", "http://[ x", "http://a..b/\xe9"]


def held(shop):
    """What the relay holds of its service, and of the streams."""
    handler = shop.app.view_functions["web.relay.r0"]
    return handler._web.runtime.guards["files"].snapshot().in_flight + handler._streams._open


@pytest.mark.parametrize("more", ["", "respond: [Location, Content-Location]\n"])
@pytest.mark.parametrize("location", NO_ADDRESSES)
def test_a_location_that_is_no_address_is_left_out_and_costs_no_place(relayed, location, more):
    headers = [("Location", location), ("Content-Location", location)]
    shop = relayed(more, replying(*headers, status=302), service=", limit: 1")
    for _ in range(3):
        reply = ask(shop)
        assert (reply.status_code, reply.data) == (302, b"content")
        assert "Location" not in reply.headers
        assert "Content-Location" not in reply.headers
    assert held(shop) == 0


def test_an_address_with_other_than_ascii_letters_goes_down_encoded(relayed):
    shop = relayed("respond: [Location]\n", replying(("Location", "/v2/\xe9"), status=302))
    assert ask(shop).headers["Location"] == "/v2/%C3%A9"


@pytest.mark.parametrize("relay", [FILES, EVENTS])
@pytest.mark.parametrize("where", ["after the view", "while the head is sent"])
def test_a_response_that_is_never_sent_gives_back_what_it_holds(relayed, relay, where):
    answer = replying(("Content-Type", "text/event-stream"))
    shop = relayed(answer=answer, relay=relay, service=", limit: 1")

    def broken(response):
        if where == "after the view":
            raise RuntimeError("a hook that fails")
        response.headers["Location"] = "http://["  # werkzeug parses it when the head is sent
        return response

    shop.app.after_request(broken)
    for _ in range(3):
        if where == "after the view":
            assert ask(shop).status_code == 500
        else:
            with pytest.raises(ValueError, match="Invalid IPv6"):
                ask(shop)
        assert held(shop) == 0


def test_what_nobody_foresaw_in_a_relay_is_a_502_that_is_reported(relayed):
    class Rude(str):
        """A header's value that no code has ever seen."""

        __slots__ = ()

        def isprintable(self):
            raise RecursionError("S3CRET")

    shop = relayed(service=", limit: 1")
    handler = shop.app.view_functions["web.relay.r0"]
    exchange = handler._streaming_call._exchange

    class Wrapping:
        def stream(self, *asked):
            incoming = exchange.stream(*asked)
            incoming.headers = (("etag", Rude("x")),)
            return incoming

    handler._streaming_call._exchange = Wrapping()
    for _ in range(3):
        reply = ask(shop)
        assert (reply.status_code, reply.json["reason"]) == (502, "internal")
        assert "S3CRET" not in reply.text
    assert held(shop) == 0
    sample = {"part": "relay", "error": "RecursionError"}
    assert shop.metrics._registry.get_sample_value("bff_internal_errors_total", sample) == 3


def test_a_thread_that_cannot_be_started_costs_no_stream_its_place(relayed, monkeypatch):
    answer = replying(("Content-Type", "text/event-stream"), body=b"data: x\n\n")
    shop = relayed(answer=answer, relay=EVENTS, root="streams: 1%\n")
    start = Thread.start

    def refuse(thread):
        if thread.name == "bff-events":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", refuse)
        for _ in range(3):
            reply = ask(shop)
            assert (reply.status_code, "Retry-After" in reply.headers) == (503, True)
    assert held(shop) == 0
    assert ask(shop).data.endswith(b"data: x\n\n")
