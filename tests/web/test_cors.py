"""Which pages elsewhere may read answers: those of exact origins, each of its own frontend."""

import re
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply, StubServices
from bff.model.frontend import Frontend
from bff.model.source import Place
from bff.web.cors import cors

SPA = "https://app.shop.example"
PHONE = "http://localhost:3000"
ADMIN = "https://admin.shop.example"
ROOT = f"""
version: 1
hosts: [shop.example]
frontends:
  web: {{access: session, origins: ["{SPA}", "{PHONE}"]}}
  mobile: {{access: bearer, origins: ["{PHONE}"]}}
  admin: {{access: session, origins: ["{ADMIN}"]}}
  kiosk: {{access: none}}
services: {{users: {{url: "URL"}}}}
"""
VIEWS = {
    "home": "get: /home\naccess: public\ncall: {get: users:/x, forward: [X-Tenant],"
    " respond: [X-Version]}\n",
    "mine": "get: /mine\nfrontends: [web]\ncall: {get: users:/x}\n",
    "save": "post: /mine\nfrontends: [web]\ncall: {post: users:/x}\n",
    "any": "get: /any/{rest}\nfrontends: [web, kiosk]\naccess: public\ncall: {get: users:/x}\n",
}
CORS = "Access-Control-"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with ExitStack() as stack:
        reply = StubReply(200, [("Content-Type", "application/json"), ("X-Version", "7")], b"1")
        stubs = stack.enter_context(StubServices({"users": lambda _: reply}, keep=True))
        config = assemble(
            parse(ROOT.replace("URL", stubs.urls["users"]), "bff.yaml", {}),
            {name: parse(text, f"{name}.yaml", {}) for name, text in VIEWS.items()},
            {},
        )
        folder = tmp_path_factory.mktemp("state")
        app = create_app(check_config(config), Settings(Path("unused"), state=folder))
        client = app.test_client()

        def ask(path, origin=None, method="GET", **headers):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            named |= {"Origin": origin} if origin is not None else {}
            return client.open(path, method=method, base_url="https://shop.example", headers=named)

        ask.stubs = stubs
        yield ask


def preflight(shop, path, origin, method="GET", headers="x-csrf"):
    asked = {f"{CORS}Request-Method": method, f"{CORS}Request-Headers": headers}
    return shop(path, origin, "OPTIONS", **asked)


def allowed(reply):
    """The origin that may read an answer, and whether with credentials."""
    origins = reply.headers.getlist(f"{CORS}Allow-Origin")
    assert len(origins) <= 1
    credentials = reply.headers.getlist(f"{CORS}Allow-Credentials")
    assert credentials in ([], ["true"])
    return (origins[0] if origins else None), bool(credentials)


@pytest.mark.parametrize(
    ("path", "origin", "credentials"),
    [
        ("/web/home", SPA, True),
        ("/web/home", PHONE, True),
        ("/mobile/home", PHONE, False),  # a bearer token is a header like others
        ("/admin/home", ADMIN, True),
        ("/auth/session", SPA, True),
        ("/auth/session", ADMIN, True),
        ("/auth/session", PHONE, True),
        ("/web/nowhere", SPA, True),  # errors can be read as well
        ("/web/any/..%2f..%2fadmin", SPA, True),
    ],
)
def test_a_page_of_a_frontends_origin_may_read_its_answers(shop, path, origin, credentials):
    for reply in (shop(path, origin), preflight(shop, path, origin)):
        assert allowed(reply) == (origin, credentials)
        assert "Origin" in reply.vary


UNLISTED = [
    "https://evil.example",
    "null",
    "",
    "*",
    "http://app.shop.example",
    "https://APP.shop.example",
    "HTTPS://app.shop.example",
    "https://app.shop.example:443",
    "https://app.shop.example.",
    "https://app.shop.example/",
    "https://app.shop.example.evil.example",
    "https://app.shop.example@evil.example",
    "https://appxshop.example",
    "https://appXshop.example",
    "https://xapp.shop.example",
    "https://x.app.shop.example",
    "https://shop.example",
    f"{SPA} ",
    f"{SPA}, https://evil.example",
    f"{SPA} https://evil.example",
    f"{SPA}+",
    "http://localhost:30001",
    "http://localhost",
    "http://127.0.0.1:3000",
    "app.shop.example",
    "https://app.\xdfhop.example",
]


@pytest.mark.parametrize("origin", UNLISTED)
@pytest.mark.parametrize("path", ["/web/home", "/auth/session", "/mobile/home", "/admin/home"])
def test_no_other_origin_is_ever_reflected(shop, path, origin):
    for reply in (shop(path, origin), preflight(shop, path, origin)):
        assert not [name for name, _ in reply.headers if name.startswith(CORS)]
        assert "Origin" in reply.vary


@pytest.mark.parametrize(
    ("path", "origin"),
    [
        ("/web/home", ADMIN),
        ("/admin/home", SPA),
        ("/mobile/home", SPA),
        ("/kiosk/home", SPA),
        ("/kiosk/any/x", SPA),
        ("/livez", SPA),
        ("/", SPA),
        ("/web", SPA),
        ("/webs/home", SPA),
        ("/WEB/home", SPA),
        # paths that some read as another one (CVE-2024-6844, flask-cors before 3.0.9)
        ("/kiosk/any/..%2f..%2fweb%2fhome", SPA),
        ("/kiosk/any/%2e%2e", SPA),
        ("/kiosk/../web/home", SPA),
        ("/kiosk/..%2fweb/home", SPA),
        ("/kiosk/any/+web+", SPA),
        ("/+web/home", SPA),
        ("//web/home", SPA),
        ("/./web/home", SPA),
        ("/admin/../web/home", SPA),
        ("/admin%2f..%2fweb%2fhome", SPA),
        ("/kiosk%2fweb/home", SPA),
        ("/x/web/home", SPA),
    ],
)
def test_an_origin_is_allowed_for_its_own_frontend_only(shop, path, origin):
    for reply in (shop(path, origin), preflight(shop, path, origin)):
        assert allowed(reply) == (None, False)


def test_without_an_origin_nothing_is_said_but_that_it_matters(shop):
    reply = shop("/web/home")
    assert (reply.status_code, allowed(reply)) == (200, (None, False))
    assert "Origin" in reply.vary
    assert "Origin" not in shop("/kiosk/home").vary


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/web/mine", "/web/nowhere", "/auth/session", "/web/any/x"])
def test_a_preflight_is_answered_before_anybody_asks_who_it_is(shop, path, method):
    shop.stubs.forget()
    reply = preflight(shop, path, SPA, method)
    assert (reply.status_code, reply.data, reply.content_type) == (204, b"", None)
    assert "Content-Length" not in reply.headers
    told = reply.headers[f"{CORS}Allow-Methods"]
    assert set(told.split(", ")) == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
    assert reply.headers[f"{CORS}Max-Age"] == "600"
    assert "Set-Cookie" not in reply.headers
    assert shop.stubs.requests() == []


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW"])
def test_a_preflight_for_another_method_allows_none(shop, method):
    reply = preflight(shop, "/web/home", SPA, method)
    assert f"{CORS}Allow-Methods" not in reply.headers


def sendable(reply):
    told = reply.headers.get(f"{CORS}Allow-Headers", "").lower()
    return set(told.split(", ")) - {""}


def test_pages_may_send_what_we_read_and_what_views_forward(shop):
    ours = "authorization, content-type, idempotency-key, if-none-match, x-csrf"
    asked = f"{ours}, x-tenant, x-other, x-csrf-too, cookie, x-forwarded-for, *, x_csrf"
    told = sendable(preflight(shop, "/web/home", SPA, headers=asked))
    assert told == {*ours.split(", "), "x-tenant"}
    assert sendable(preflight(shop, "/auth/logout", SPA, "POST", asked)) == set(ours.split(", "))


def test_header_names_have_no_case(shop):
    assert sendable(preflight(shop, "/web/home", SPA, headers="X-Csrf,X-TENANT")) == {
        "x-csrf",
        "x-tenant",
    }


def test_pages_may_read_our_headers_and_what_calls_respond(shop):
    told = shop("/web/home", SPA).headers[f"{CORS}Expose-Headers"]
    assert set(told.lower().split(", ")) == {
        "accept-encoding",
        "allow",
        "bff-calls",
        "cache-status",
        "deprecation",
        "etag",
        "idempotency-replayed",
        "location",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "server-timing",
        "sunset",
        "www-authenticate",
        "x-request-id",
        "x-version",
    }


# What pages read without being allowed to (Fetch, section 2.2.2), and what is for browsers alone.
UNEXPOSED = {
    *("cache-control", "content-language", "content-length", "content-type", "expires"),
    *("last-modified", "pragma", "refresh", "set-cookie", "vary", "strict-transport-security"),
    *("content-security-policy", "cross-origin-resource-policy", "referrer-policy"),
    *("x-content-type-options", "x-frame-options", "x-accel-buffering", "content-encoding"),
    "bff-subject",  # for nginx
}


SET = re.compile(
    r"""(?:headers\[|headers\.(?:add|set)\()"([A-Za-z-]+)"|^ +"([A-Z][A-Za-z-]+)": """, re.MULTILINE
)


def test_every_header_that_the_app_sets_can_be_read(shop):
    """Or is known to be no page's business: a new one is to be thought of here."""
    told = shop("/web/home", SPA).headers[f"{CORS}Expose-Headers"].lower().split(", ")
    found = set()
    for file in (Path(__file__).parents[2] / "bff/web").glob("*.py"):
        for names in SET.findall(file.read_text()):
            found |= {name.lower() for name in names if name}
    assert found - set(told) - UNEXPOSED == set()


def test_a_preflight_to_a_host_that_is_not_ours_is_refused_first(shop):
    reply = shop("/web/home", SPA, "OPTIONS", Host="evil.example", X_CSRF="1")
    assert reply.status_code == 421


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/web/home", {"GET", "HEAD", "OPTIONS"}),
        ("/web/mine", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/kiosk/home", {"GET", "HEAD", "OPTIONS"}),
        ("/auth/logout", {"POST", "OPTIONS"}),
        ("/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
@pytest.mark.parametrize("origin", [None, SPA])
def test_options_that_is_no_preflight_says_what_can_be_done(shop, path, methods, origin):
    reply = shop(path, origin, "OPTIONS")
    assert (reply.status_code, reply.data, reply.content_type) == (204, b"", None)
    assert set(reply.headers["Allow"].split(", ")) == methods
    assert f"{CORS}Allow-Methods" not in reply.headers


@pytest.mark.parametrize("path", ["/web/nowhere", "/nowhere", "/"])
def test_options_of_what_is_not_there_is_404(shop, path):
    reply = shop(path, None, "OPTIONS")
    assert (reply.status_code, reply.mimetype) == (404, "application/problem+json")


def test_an_origin_is_never_taken_for_a_pattern():
    app = Flask("some app")
    frontend = Frontend("web", Place("here"), (), ("http://[::1]:3000", "https://*.example"))
    cors(app, {"web": frontend}, {})
    client = app.test_client()
    for origin, fine in (
        ("http://[::1]:3000", True),
        ("https://*.example", True),
        ("http://1:3000", False),
        ("http://::3000", False),
        ("https://x.example", False),
        ("https://.example", False),
    ):
        reply = client.get("/web/home", headers={"Origin": origin})
        assert allowed(reply)[0] == (origin if fine else None)


def test_errors_can_be_read_by_the_page_that_caused_them(shop):
    reply = shop("/web/mine", SPA)
    assert (reply.status_code, reply.mimetype) == (401, "application/problem+json")
    assert allowed(reply) == (SPA, True)
