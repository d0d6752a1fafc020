"""Who may have a view: scopes, claims, bearer tokens, and what says that a page of ours asks."""

from types import SimpleNamespace

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply, StubServices
from bff.errors import ConfigError
from bff.model.principal import NOBODY, Principal
from bff.observe.events import Audited

PERSON = {"scopes": frozenset({"orders.read", "profile"})}


def view(require):
    return f"get: /orders\nrequire: {require}\ncall: {{get: users:/orders}}\n"


@pytest.fixture
def ask(site):
    """Ask for a view with a requirement as somebody; the answer, and how often it was sent on."""

    def make(require, principal):
        shop = site(
            view(require), users=lambda _: StubReply.json([]), principal=lambda *_: principal
        )
        reply = shop.get("/web/orders")
        return reply, len(shop.stubs.requests())

    return make


def ada(**more):
    return Principal("https://id.example", "ada", **more)


@pytest.mark.parametrize(
    ("require", "more"),
    [
        ("{scope: orders.read}", PERSON),
        ("{scope: orders.read profile}", PERSON),
        ("{claims: {roles: [admin, editor]}}", {"claims": {"roles": ["editor", "x"]}}),
        ("{claims: {roles: admin}}", {"claims": {"roles": "admin"}}),
        ("{claims: {level: 3}}", {"claims": {"level": 3}}),
        ("{claims: {verified: true}}", {"claims": {"verified": True}}),
        ("{scope: profile, claims: {plan: [pro]}}", {**PERSON, "claims": {"plan": "pro"}}),
    ],
)
def test_who_has_what_a_view_requires_gets_it(ask, require, more):
    reply, sent = ask(require, ada(**more))
    assert (reply.status_code, sent) == (200, 1)


@pytest.mark.parametrize(
    ("require", "more"),
    [
        ("{scope: orders.write}", PERSON),
        ("{scope: orders.read orders.write}", PERSON),
        ("{scope: orders}", PERSON),
        ("{claims: {roles: [admin]}}", {"claims": {"roles": ["administrator"]}}),
        ("{claims: {roles: [admin]}}", {"claims": {"roles": "admin,x"}}),
        ("{claims: {roles: [admin]}}", {"claims": {"roles": {"admin": True}}}),
        ("{claims: {roles: [admin]}}", {"claims": {}}),
        ("{claims: {level: 1}}", {"claims": {"level": True}}),
        ("{claims: {verified: true}}", {"claims": {"verified": 1}}),
        ("{claims: {verified: true}}", {"claims": {"verified": "true"}}),
        ("{claims: {level: 3}}", {"claims": {"level": "3"}}),
        ("{scope: profile, claims: {plan: [pro]}}", {**PERSON, "claims": {"plan": "free"}}),
        ("{scope: admin, claims: {plan: [pro]}}", {**PERSON, "claims": {"plan": "pro"}}),
    ],
)
def test_who_lacks_it_gets_403_and_no_service_is_asked(ask, require, more):
    reply, sent = ask(require, ada(**more))
    assert (reply.status_code, sent) == (403, 0)
    assert reply.mimetype == "application/problem+json"


def test_for_want_of_a_scope_the_answer_says_which(ask):
    reply, _ = ask("{scope: orders.write}", ada(**PERSON))
    challenge = reply.headers["WWW-Authenticate"]
    assert challenge == 'Bearer realm="bff", error="insufficient_scope", scope="orders.write"'


def test_nobody_gets_401_of_a_view_that_requires_something(ask):
    reply, sent = ask("{scope: orders.write}", NOBODY)
    assert (reply.status_code, sent) == (401, 0)


ROOT = """
version: 1
hosts: [shop.example]
frontends:
  web: {access: session}
  mobile: {access: [bearer, session]}
session: {secrets: ["0123456789012345678901234567890123456789"]}
issuers: {shop: {issuer: "https://id.example", audience: shop-api, jwks: "https://id.example/jwks",
                 claims: [plan]}}
services: {users: {url: "%s", credentials: relay}}
"""


@pytest.fixture(scope="module")
def key():
    return RSAKey.generate_key(2048, {"kid": "k1", "use": "sig", "alg": "RS256"})


@pytest.fixture
def mobile(key, tmp_path, monkeypatch):
    """An app whose issuer's keys are at hand; `token()` makes one, `get()` brings it."""
    replies = []

    def echo(request):
        return StubReply.json({"sent": request.header("authorization")})

    with StubServices({"users": echo}, keep=True) as stubs:
        views = {
            "me": parse("get: /me\ncall: {get: users:/me}", "me.yaml", {}),
            "may": parse("get: /may\naccess: optional\ncall: {get: users:/may}", "may.yaml", {}),
            "all": parse("get: /all\naccess: public\ncall: {get: users:/all}", "all.yaml", {}),
            "write": parse(
                "get: /write\nrequire: {scope: write}\ncall: {get: users:/w}", "write.yaml", {}
            ),
        }
        root = parse(ROOT % stubs.urls["users"], "bff.yaml", {})
        now = 1_800_000_000.0
        jwks = {"keys": [key.as_dict(private=False)]}
        monkeypatch.setattr("bff.auth.oidc.http.Http.get", lambda *_, **__: orjson.dumps(jwks))
        app = create_app(
            check_config(assemble(root, views, {})),
            Settings(tmp_path, management_bind=None, state=tmp_path),
            now=lambda: now,
            observers=[lambda each: isinstance(each, Audited) and replies.append(each)],
        )

        def token(**claims):
            content = {
                "iss": "https://id.example",
                "sub": "ada",
                "aud": "shop-api",
                "client_id": "app",
                "iat": int(now),
                "exp": int(now) + 300,
                "scope": "read",
            }
            header = {"alg": "RS256", "kid": "k1", "typ": "at+jwt"}
            return jwt.encode(header, {**content, **claims}, key)

        def get(path, given, **headers):
            sent = {"Authorization": f"Bearer {given}", **headers}
            client = app.test_client(use_cookies=False)
            return client.get(path, base_url="https://shop.example", headers=sent)

        yield SimpleNamespace(token=token, get=get, app=app, stubs=stubs)


def test_an_app_brings_its_token_and_needs_no_header_against_other_sites(mobile):
    given = mobile.token()
    reply = mobile.get("/mobile/me", given)
    assert reply.status_code == 200
    assert reply.json["sent"] == f"Bearer {given}"
    assert "Authorization" in reply.headers["Vary"]


@pytest.mark.parametrize("path", ["/mobile/me", "/mobile/may"])
@pytest.mark.parametrize(
    "claims",
    [
        {"exp": 1_700_000_000},
        {"nbf": 1_900_000_000},
        {"aud": "other"},
        {"iss": "https://evil.example"},
        {"sub": None},
    ],
)
def test_a_bad_token_is_401_also_where_nobody_is_welcome(mobile, path, claims):
    reply = mobile.get(path, mobile.token(**claims))
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="bff", error="invalid_token"')
    assert mobile.stubs.requests() == []


def test_a_public_view_does_not_even_look_at_a_token(mobile):
    assert mobile.get("/mobile/all", "rubbish").status_code == 200


def test_without_a_token_the_challenge_names_bearer_and_no_error(mobile):
    reply = mobile.app.test_client().get("/mobile/me", base_url="https://shop.example")
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, 'Bearer realm="bff"')


def test_a_token_without_the_scope_is_403_and_with_it_is_answered(mobile):
    reply = mobile.get("/mobile/write", mobile.token())
    assert reply.status_code == 403
    assert 'error="insufficient_scope"' in reply.headers["WWW-Authenticate"]
    assert mobile.get("/mobile/write", mobile.token(scope="read write")).status_code == 200


def test_a_frontend_of_sessions_takes_no_token(mobile):
    assert mobile.get("/web/me", mobile.token()).status_code == 401


def test_a_token_with_a_cookie_is_400_whatever_either_is_worth(mobile):
    cookie = {"Cookie": "__Host-Http-bff=whatever"}
    assert mobile.get("/mobile/me", mobile.token(), **cookie).status_code == 400


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_is_read_whatever_its_case(mobile, scheme):
    reply = mobile.app.test_client().get(
        "/mobile/me",
        base_url="https://shop.example",
        headers={"Authorization": f"{scheme} {mobile.token()}"},
    )
    assert reply.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/mobile/me#/mobile/all",
        "/mobile/me?/mobile/all",
        "/mobile/me%23/mobile/all",
        "/mobile/me%3F/mobile/all",
        "/mobile/me;/mobile/all",
        "/mobile/all/../me",
        "/mobile/all/%2e%2e/me",
        "/mobile/all%2f..%2fme",
        "/mobile//me",
        "//mobile/me",
        "/mobile/./me",
        "/mobile/me/",
        "/MOBILE/me",
        "/mobile/me%00",
    ],
)
def test_no_way_of_writing_a_path_makes_a_view_for_people_public(mobile, path):
    client = mobile.app.test_client()
    reply = client.get(path, base_url="https://shop.example")
    assert reply.status_code in (301, 308, 400, 401, 404)
    assert mobile.stubs.requests() == []


@pytest.mark.parametrize("agent", ["kube-probe/1.29", "GoogleHC/1.0", "ELB-HealthChecker/2.0", ""])
def test_what_the_client_says_it_is_decides_nothing(mobile, agent):
    client = mobile.app.test_client()
    reply = client.get("/mobile/me", base_url="https://shop.example", headers={"User-Agent": agent})
    assert reply.status_code == 401


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.example", "https://.*", "null", "https://shop.example/", "shop.example"],
)
def test_origins_are_exact_or_the_configuration_is_wrong(origin):
    text = f"version: 1\nfrontends: {{web: {{access: session, origins: ['{origin}']}}}}\n"
    text += "services: {users: {url: 'http://users'}}\n"
    view = parse("get: /me\ncall: {get: users:/me}", "me.yaml", {})
    with pytest.raises(ConfigError, match="exact origin"):
        assemble(parse(text, "bff.yaml", {}), {"me": view}, {})
