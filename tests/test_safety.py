"""Nobody sees what is another's, and nobody outside sees the inside."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply, StubServices
from bff.model.principal import Principal
from bff.observe.log import JsonFormatter
from bff.upstream.sockets.exchange import SocketExchange

SETTINGS = Settings(Path("unused"), management_bind=None)


@pytest.fixture
def serve():
    """Make an app: `serve(view, service keys, name=answerer, …)`; X-Who says who asks."""
    with ExitStack() as stack:

        def make(view, keys="", urls=(), **answerers):
            stubs = stack.enter_context(StubServices(answerers, keep=True))
            places = {**stubs.urls, **dict(urls)}
            lines = [f"  {name}: {{url: '{url}'{keys}}}" for name, url in places.items()]
            root = "version: 1\nfrontends: {web: {access: session}}\nservices:\n" + "\n".join(lines)
            parsed = {"view": parse(view, "view.yaml", {})}
            config = assemble(parse(root, "bff.yaml", {}), parsed, {})
            exchange = SocketExchange(config.services, 16)
            stack.callback(exchange.close)
            app = create_app(check_config(config), SETTINGS, exchange=exchange, authenticate=who)
            return app, stubs

        yield make


def who(request, _rule):
    name = request.headers.get("X-Who", "ada")
    return Principal("https://issuer", name, claims={"tenant": f"tenant-of-{name}"})


MINE = """
get: /mine
params: {n: {type: integer}}
calls:
  me:
    get: "users:/users/{session.sub}"
    query: {n: "{params.n}"}
    forward: [X-Phone]
    respond: [X-Mine]
  orders:
    get: users:/orders
    query: {of: "{me.sub}"}
    path: items
  product:
    each: orders
    batch: {get: catalog:/products, query: {ids: "{item.id}"}, key: id}
    into: product
  stars:
    each: orders
    get: "catalog:/stars/{item.shared}"
    into: stars
shape: {me: me, orders: orders}
"""


def users(request):
    name = request.path.rpartition("/")[2]
    if request.path == "/orders":
        name = request.query.removeprefix("of=")
        items = [{"id": f"{name}-{at}", "shared": at % 2} for at in range(4)]
        return StubReply.json({"items": items})
    told = {"sub": name, "query": request.query, "headers": dict(request.headers)}
    more = [("Set-Cookie", f"who={name}"), ("X-Mine", name), ("X-Inside", name)]
    return StubReply.json(told, headers=more)


def catalog(request):
    if request.path.startswith("/stars"):
        return StubReply.json({"n": request.path[-1]})
    ids = [each.partition("=")[2] for each in request.query.split("&")]
    return StubReply.json([{"id": each, "title": f"of {each}"} for each in ids])


def test_two_people_never_see_what_is_the_others(serve):
    app, stubs = serve(
        MINE, ", headers: {X-Tenant: '{session.claims.tenant}'}", users=users, catalog=catalog
    )
    starting = threading.Barrier(4)

    def ask(name, number):
        client = app.test_client()
        headers = {"X-Who": name, "X-Phone": f"phone-of-{name}", "Cookie": f"sid={name}"}
        reply = client.get(f"/web/mine?n={number}", headers=headers)
        assert reply.status_code == 200, reply.text
        content = reply.get_json()
        other = "zoe" if name == "kurt" else "kurt"  # names that no hexadecimal id can hold
        assert other not in reply.text
        assert other not in str(reply.headers)
        assert "Set-Cookie" not in reply.headers
        assert reply.headers["X-Mine"] == name
        assert content["me"]["query"] == f"n={number}"
        seen = {key.lower(): value for key, value in content["me"]["headers"].items()}
        assert (seen["x-tenant"], seen["x-phone"]) == (f"tenant-of-{name}", f"phone-of-{name}")
        assert "cookie" not in seen
        assert [each["product"]["title"] for each in content["orders"]] == [
            f"of {name}-{at}" for at in range(4)
        ]
        assert [each["stars"]["n"] for each in content["orders"]] == ["0", "1", "0", "1"]

    def person(name):
        starting.wait(10)
        for number in range(100):
            ask(name, number)

    with ThreadPoolExecutor(4) as people:
        for done in [people.submit(person, name) for name in ("zoe", "kurt") * 2]:
            done.result()
    assert not [each for each in stubs.requests() if each.header("cookie")]


REQUIRED = """
get: /x/{id}
params: {q: {default: ''}}
call: {get: 'inner:/v1/{params.id}', query: {q: '{params.q}'}%s}
"""
HTML = [("Content-Type", "text/html")]
JSON = [("Content-Type", "application/json")]
TRACE = b"Traceback (most recent call last): S3CRET at db7.internal:5432"
FAILURES = {
    "500 with a stack trace": StubReply(500, HTML, TRACE),
    "404": StubReply(404, [("X-Inside", "S3CRET")], TRACE),
    "503": StubReply.json({"error": "S3CRET"}, 503, headers=[("X-Inside", "S3CRET")]),
    "401": StubReply(401, [("WWW-Authenticate", "Basic realm=S3CRET")], TRACE),
    "a redirect": StubReply(302, [("Location", "http://S3CRET.internal/")], b""),
    "HTML": StubReply(200, HTML, TRACE),
    "a secret content type": StubReply(200, [("Content-Type", "S3CRET/x")], TRACE),
    "a secret coding": StubReply(200, [*JSON, ("Content-Encoding", "S3CRET")], TRACE),
    "a secret length": StubReply(200, [*JSON, ("Content-Length", "S3CRET")], TRACE),
    "cut JSON": StubReply(200, JSON, b'{"a": "S3CRET'),
    "no UTF-8": StubReply(200, JSON, b'"S3CRET\xff"'),
    "broken gzip": StubReply(200, [*JSON, ("Content-Encoding", "gzip")], TRACE),
    "too large": StubReply(200, JSON, b'"S3CRET' + b"x" * 3_000_000),
    "a broken chunk": StubReply(200, [("Transfer-Encoding", "chunked")], b"S3CRET\r\nx"),
    "a broken header": StubReply(200, [("S3CRET inside", "S3CRET")], b""),
    "a header with a NUL": StubReply(200, [("X-A", "S3CRET\0")], b""),
    "a reset": StubReply(fault="reset"),
    "nothing": StubReply(fault="empty"),
    "half": StubReply(200, JSON, TRACE, fault="truncated"),
    "silence": StubReply(fault="hang"),
    "dribbled headers": StubReply(200, JSON, TRACE, fault="dribble_headers"),
    "dribbled body": StubReply(200, JSON, TRACE, fault="dribble_body"),
}
STATUSES = {"silence": 504, "dribbled headers": 504, "dribbled body": 504}
KEYS = ", timeout: 200ms, max_reply: 1MB, headers: {X-Key: K3Y}"


def exposed(reply, stubs):
    """What of the inside is in a reply."""
    text = reply.text + str(reply.headers)
    inside = [
        "S3CRET",
        "Traceback",
        "127.0.0.1",
        "internal",
        "K3Y",
        "/v1/",
        "httpx",
        "httpcore",
        "h11",
    ]
    inside += [str(port) for port in stubs.ports.values()]
    return [each for each in inside if each.lower() in text.lower()]


@pytest.mark.parametrize("rung", ["", ", optional: true", ", fallback: []"])
@pytest.mark.parametrize("failure", FAILURES)
def test_nothing_of_a_failed_upstream_reaches_the_client(serve, failure, rung):
    app, stubs = serve(REQUIRED % rung, KEYS, inner=lambda _: FAILURES[failure])
    reply = app.test_client().get("/web/x/7?q=1", headers={"Host": "localhost"})
    assert exposed(reply, stubs) == []
    calls = reply.headers["BFF-Calls"]
    if rung:
        assert (reply.status_code, reply.headers["Cache-Control"]) == (200, "no-store")
        assert calls.startswith("call=fallback" if "fallback" in rung else "call=failed")
    else:
        assert reply.status_code == STATUSES.get(failure, 502), calls
        assert reply.mimetype == "application/problem+json"
        assert reply.get_json()["reason"] in calls


def test_a_service_that_is_not_there_is_not_named(serve):
    app, stubs = serve(REQUIRED % "", urls=[("inner", "http://127.0.0.1:1")])
    reply = app.test_client().get("/web/x/7", headers={"Host": "localhost"})
    assert (reply.status_code, exposed(reply, stubs)) == (502, [])


class Lines(logging.Handler):
    """The log as it is written, of every logger there is."""

    def __init__(self):
        super().__init__(logging.DEBUG)
        self.written = []

    def emit(self, record):
        self.written.append(JsonFormatter().format(record) + record.getMessage())


@pytest.fixture
def lines():
    handler, root = Lines(), logging.getLogger()
    levels = {name: logging.getLogger(name).level for name in ("", "bff", "httpx", "httpcore")}
    root.addHandler(handler)
    for name in levels:
        logging.getLogger(name).setLevel(logging.INFO)
    yield handler.written
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


LOGGED = """
get: /x/{id}
params: {n: {type: integer, default: 1}, q: {default: ''}}
calls:
  lone:
    get: "inner:/v1/{params.id}"
    query: {q: "{params.q}"}
    headers: {X-T: "{params.q}"}
    forward: [X-Phone]
    optional: true
  other:
    post: inner:/v2
    safe: true
    json: {q: "{params.q}", sum: "{sum(not_null(params.q))}"}
    optional: true
  each:
    each: not_null(params.q)
    get: "inner:/v3/{item}"
    optional: true
shape: {lone: lone, other: other, each: each, wrong: "sum(not_null(params.q))"}
"""
SENT = {
    "X-Phone": "S3CRET-phone",
    "Cookie": "sid=S3CRET-cookie",
    "Authorization": "Bearer S3CRET-token",
    "Host": "localhost",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_the_log_of_a_failure_holds_nobodys_data(serve, lines, failure):
    app, _ = serve(LOGGED, KEYS, inner=lambda _: FAILURES[failure])
    client = app.test_client()
    for path in (
        "/web/x/S3CRET-id?q=S3CRET-q",
        "/web/x/1?n=S3CRET-n",
        "/web/S3CRET-path",
        "/web/x/..",
    ):
        client.get(path, headers=SENT)
    client.get("/web/x/%00?q=S3CRET%0D%0A", headers={**SENT, "X-Request-Id": "S3CRET id!"})
    client.post("/web/x/1?q=S3CRET", data="S3CRET-body", headers=SENT)
    assert lines
    assert [line for line in lines if "s3cret" in line.lower() or "K3Y" in line] == []


def test_only_declared_services_are_ever_contacted(serve):
    app, stubs = serve(
        REQUIRED % "", inner=lambda _: StubReply.json({}), other=lambda _: StubReply()
    )
    client = app.test_client()
    port = stubs.ports["other"]
    for value in (
        f"@127.0.0.1:{port}",
        f"http:%2F%2F127.0.0.1:{port}",
        f"\\\\127.0.0.1:{port}",
        ".%2e",
    ):
        client.get(f"/web/x/{value}", headers={"Host": "localhost"})
        client.get(f"/web/x/7?q={value}", headers={"Host": f"localhost:{port}"})
    assert stubs.requests("other") == []
    assert all(each.path.count("/") == 2 for each in stubs.requests("inner"))
