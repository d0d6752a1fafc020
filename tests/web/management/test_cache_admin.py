"""What operators may do with the cache, asked as the management socket asks."""

from io import BytesIO

import orjson
import pytest
from werkzeug.test import create_environ, run_wsgi_app

from bff.web.management.listener import MANAGED
from tests.kept import Wall, memory_only

VIEW = 'get: /v\ncache: {ttl: 1h, tags: ["x:1"]}\ncall: {get: users:/of}\n'


@pytest.fixture
def shop(site):
    from bff.dev.stubs.stub import StubReply

    return site(
        VIEW,
        management="127.0.0.1:9090",
        cache=memory_only(Wall()),
        users=lambda _: StubReply.json({"secret": "of somebody"}),
    )


def ask(shop, method, path, body=None, kind="application/json", host="127.0.0.1:9090", by=MANAGED):
    sent = orjson.dumps(body) if body is not None else b""
    environ = create_environ(path, method=method) | {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "HTTP_HOST": host,
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(sent)),
        "wsgi.input": BytesIO(sent),
        by: True,
    }
    told, status, _ = run_wsgi_app(shop.app.wsgi_app, environ)
    return int(status.split()[0]), b"".join(told)


def cached(shop):
    return "hit" in shop.get("/web/v").headers["Cache-Status"]


@pytest.mark.parametrize(
    ("body", "gone"),
    [
        ({"tags": ["x:1"]}, True),
        ({"tags": ["x:2"]}, False),
        ({"views": ["v0"]}, True),
        ({"views": ["other"]}, False),
        ({"services": ["users"]}, False),
        ({"all": True}, True),
    ],
)
def test_what_is_named_is_invalidated(shop, body, gone):
    shop.get("/web/v")
    assert cached(shop)
    status, told = ask(shop, "POST", "/cache/purge", body)
    assert (status, orjson.loads(told)) == (200, {"invalidated": 1, "everywhere": True})
    assert cached(shop) is not gone


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ({}, "application/json", 400),
        ({"all": False}, "application/json", 400),
        ({"tag": "x"}, "application/json", 400),
        ({"tags": "x"}, "application/json", 400),
        ({"tags": [""]}, "application/json", 400),
        ([], "application/json", 400),
        ({"all": True}, "text/plain", 415),
        ({"all": True}, "application/x-www-form-urlencoded", 415),
        ({"tags": ["x" * 70_000]}, "application/json", 413),
    ],
)
def test_what_is_no_invalidation_changes_nothing(shop, body, kind, status):
    shop.get("/web/v")
    assert ask(shop, "POST", "/cache/purge", body, kind)[0] == status
    assert cached(shop)


def test_what_is_kept_is_shown_without_anybodys_data(shop):
    shop.get("/web/v"), shop.get("/web/v")
    status, told = ask(shop, "GET", "/cache/entries")
    (entry,) = orjson.loads(told)["entries"]
    assert (status, entry["of"], entry["is"], entry["status"]) == (200, "v0 at web", "fresh", 200)
    assert b"somebody" not in told
    status, told = ask(shop, "GET", "/cache")
    counts = orjson.loads(told)["looked_up"]
    assert (counts["miss"], counts["fresh"]) == (1, 1)


def test_nothing_of_it_is_public_and_nothing_else_is_there(shop):
    assert ask(shop, "GET", "/cache", by="public", host="shop.example")[0] == 404
    assert ask(shop, "GET", "/cache", host="evil.example")[0] == 421
    assert ask(shop, "GET", "/cache/purge")[0] == 405
    assert ask(shop, "POST", "/cache")[0] == 405
    assert ask(shop, "GET", "/cache/other")[0] == 404


def test_where_nothing_is_kept_it_says_so(site):
    from bff.dev.stubs.stub import StubReply

    view = "get: /v\ncall: {get: users:/of}\n"
    shop = site(view, management="127.0.0.1:9090", users=lambda _: StubReply.json(1))
    assert ask(shop, "GET", "/cache")[0] == 409
