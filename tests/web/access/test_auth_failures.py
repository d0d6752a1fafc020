"""Each way in which signing in, tokens and their checks fail: the status, and what the log says.

The log names the check that failed or the address and its answer; nothing of what a provider or a
person has brought is in it. What is set up wrong is told from what passes by itself.
"""

import logging
from contextlib import ExitStack
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubServices
from bff.observe.log import JsonFormatter
from bff.upstream.pool import PoolExchange
from tests.auth.scripted_provider import (
    ABSENT,
    API,
    CLIENT,
    ISSUER,
    SECRET,
    ScriptedProvider,
    elliptic,
    rsa,
)
from tests.web.access.test_sign_in import Browser, Wall, echo

DISCOVERY = "/.well-known/openid-configuration"
PLANTED = "pl4nted-words"
CODE = "the-code-0f-0ne-sign-in"
ROOT = """
version: 1
hosts: [shop.example]
frontends:
  web: {{access: session}}
  mobile: {{access: bearer}}
session: {{secrets: ["0123456789012345678901234567890123456789"]}}
limits: {{sign_in: 1000/minute}}
providers:
  shop:
    issuer: {issuer}
    client_id: {client}
    client_secret: {secret}
issuers:
  shop: {{issuer: {issuer}, audience: "{api}"}}
services:
  users: {{url: "{users}", credentials: session}}
  orders: {{url: "{users}", credentials: {{exchange: {{audience: orders}}}}}}
  stock: {{url: "{users}", credentials: {{client: {{scope: stock}}}}}}
"""
VIEWS = {
    "me": "get: /me\ncall: {get: users:/me}",
    "orders": "get: /orders\ncall: {get: orders:/orders}",
    "stock": "get: /stock\naccess: public\ncall: {get: stock:/stock}",
}


@pytest.fixture
def site(tmp_path, monkeypatch, caplog):
    """An app whose provider answers, and signs, as a test says; and what it has logged."""
    caplog.set_level(logging.INFO, logger="bff")
    with ExitStack() as stack:
        wall = Wall()
        op = stack.enter_context(ScriptedProvider(wall))
        monkeypatch.setattr("bff.parts.Http", op.http)
        stubs = stack.enter_context(StubServices({"users": echo}, keep=True))
        about = {"issuer": ISSUER, "client": CLIENT, "secret": SECRET, "api": API}
        text = ROOT.format(users=stubs.urls["users"], **about)
        views = {name: parse(view, f"{name}.yaml", {}) for name, view in VIEWS.items()}
        config = assemble(parse(text, "bff.yaml", {}), views, {})
        exchange = PoolExchange(config.services, 8)
        stack.callback(exchange.close)
        app = create_app(
            check_config(config),
            Settings(tmp_path, management_bind=None, state=tmp_path),
            exchange=exchange,
            now=wall,
        )

        def log():
            lines = [JsonFormatter().format(each) for each in caplog.records if each.name == "bff"]
            return "\n".join(lines)

        yield SimpleNamespace(app=app, op=op, wall=wall, log=log)


def begin(browser, **login):
    """Begin to sign in; the state and the nonce that went to the provider."""
    query = "&".join(f"{name}={value}" for name, value in login.items())
    reply = browser.go(f"/auth/login?{query}")
    assert reply.status_code == 303, reply.text
    asked = parse_qs(urlsplit(reply.headers["Location"]).query)
    browser.site.op.claims = {"nonce": asked["nonce"][0], **browser.site.op.claims}
    return asked["state"][0]


def sign_in(site, **login):
    browser = Browser(site)
    state = begin(browser, **login)
    return browser, browser.go(f"/auth/callback?code={CODE}&state={state}")


def assert_told(site, words, secrets=()):
    """The log has the words, and nothing of what came from elsewhere."""
    log = site.log()
    assert words in log, log
    for secret in (PLANTED, CODE, SECRET, "access-1", "refresh-1", *secrets):
        assert secret not in log


def refusing(status, error=ABSENT):
    content = {"error_description": PLANTED, "error_uri": f"https://x.example/{PLANTED}"}
    return status, content | ({} if error is ABSENT else {"error": error})


# Sign-in

METADATA = {
    "of another issuer": ({"issuer": f"{ISSUER}/"}, f"another issuer: {ISSUER}/; declared is"),
    "of no issuer": ({"issuer": ABSENT}, "(not a URL)"),
    "of an issuer with a password": ({"issuer": f"https://{PLANTED}@x"}, "(not a URL)"),
    "without an endpoint": ({"token_endpoint": ABSENT}, "the token_endpoint is missing"),
    "to plain http": ({"jwks_uri": "http://op.example/x"}, "the jwks_uri is not safe to use"),
}


@pytest.mark.parametrize(("metadata", "words"), METADATA.values(), ids=METADATA)
def test_metadata_that_cannot_be_used_is_a_matter_of_how_sign_in_is_set_up(site, metadata, words):
    site.op.metadata = metadata
    reply = Browser(site).go("/auth/login")
    assert reply.status_code == 502
    assert_told(site, f"{ISSUER}{DISCOVERY}")
    assert_told(site, words)
    assert_is_for_operators(reply)


def assert_is_for_operators(reply):
    assert "Retry-After" not in reply.headers
    assert "try again" not in reply.text.lower()
    assert "Trying again will not help" in reply.text
    assert reply.headers["X-Request-Id"] in reply.text


ANSWERS = {
    "404": ((404, {}), 502, "answered 404"),
    "403": ((403, {}), 502, "answered 403"),
    "302": ((302, {}), 502, "answered 302"),
    "500": ((500, {}), 503, "answered 500"),
    "503": ((503, {}), 503, "answered 503"),
    "429": ((429, {}), 503, "answered 429"),
    "html": ((200, b"<html>" + PLANTED.encode()), 502, "is not JSON"),
    "a list": ((200, [PLANTED]), 502, "is not a JSON object"),
}


@pytest.mark.parametrize("path", [DISCOVERY, "/jwks"])
@pytest.mark.parametrize(("reply", "status", "words"), ANSWERS.values(), ids=ANSWERS)
def test_what_a_provider_publishes_is_away_or_wrong(site, path, reply, status, words):
    site.op.replies[path] = reply
    answer = Browser(site).go("/auth/login") if path == DISCOVERY else sign_in(site)[1]
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 503)
    assert_told(site, f"{ISSUER}{path}")
    assert_told(site, words)


GRANTS = {
    "wrong secret": (refusing(401, "invalid_client"), 502, "refused the grant: invalid_client"),
    "not for us": (refusing(400, "unauthorized_client"), 502, "unauthorized_client"),
    "wrong address": (refusing(400, "invalid_request"), 502, "invalid_request"),
    "of the provider's own": (refusing(400, "admin_policy_enforced"), 400, "admin_policy_enforced"),
    "spent code": (refusing(400, "invalid_grant"), 400, "refused the grant: invalid_grant"),
    "no code at all": (refusing(400), 502, "answered 400"),
    "words for a code": (refusing(400, f"{PLANTED} x"), 400, "an error without a usable code"),
    "not now": (refusing(400, "temporarily_unavailable"), 503, "temporarily_unavailable"),
    "broken": ((500, PLANTED.encode()), 503, "answered 500"),
    "no access token": ((200, {"token_type": "Bearer"}), 502, "no usable access_token"),
    "another type": ((200, {"access_token": "x", "token_type": "DPoP"}), 502, "token_type"),
    "an error with 200": ((200, {"error": "bad_code"}), 502, "200 with the error bad_code"),
}


@pytest.mark.parametrize(("reply", "status", "words"), GRANTS.values(), ids=GRANTS)
def test_a_code_is_not_redeemed(site, reply, status, words):
    site.op.replies["/token"] = reply
    answer = sign_in(site)[1]
    assert answer.status_code == status
    assert_told(site, f"{ISSUER}/token")
    assert_told(site, words)
    if status == 502:
        assert_is_for_operators(answer)


NOW = 1_800_000_000
TOKENS = {
    "iss": ({"iss": f"{ISSUER}/"}, 502, "its iss is missing or wrong"),
    "aud": ({"aud": "another-client"}, 502, "its aud is missing or wrong"),
    "azp": ({"aud": [CLIENT, "x"], "azp": "x"}, 502, "its azp is missing or wrong"),
    "sub": ({"sub": ABSENT}, 502, "its sub is missing or wrong"),
    "at_hash": ({"at_hash": PLANTED}, 502, "its at_hash is wrong"),
    "exp": ({"exp": NOW - 60}, 400, "it has expired (exp)"),
    "iat": ({"iat": NOW + 60}, 400, "its iat is missing or wrong"),
    "nbf": ({"nbf": NOW + 60}, 400, "its nbf is missing or wrong"),
    "nonce": ({"nonce": PLANTED}, 400, "its nonce is missing or wrong"),
    "logout token": ({"events": {}}, 502, "it is not an ID token"),
    "access token": ({"token_use": "access"}, 502, "it is not an ID token"),
}


@pytest.mark.parametrize(("claims", "status", "words"), TOKENS.values(), ids=TOKENS)
def test_an_id_token_does_not_count(site, claims, status, words):
    site.op.claims = claims
    answer = sign_in(site)[1]
    assert answer.status_code == status
    assert_told(site, words)
    assert_told(site, ISSUER)


def test_an_id_token_is_not_what_was_asked_for(site):
    site.op.claims = {"auth_time": NOW - 1000, "acr": PLANTED}
    assert sign_in(site, max_age=60)[1].status_code == 400
    assert_told(site, "its auth_time is missing or too long ago")
    site.op.claims = {"auth_time": NOW, "acr": PLANTED}
    assert sign_in(site, acr_values="gold")[1].status_code == 400
    assert_told(site, "its acr is none of those that were requested")


SIGNATURES = {
    "none": ({"id_token": ABSENT}, {}, "it is missing"),
    "another key": ({}, {"key": rsa("stranger"), "header": {"kid": "one"}}, "signature is wrong"),
    "unknown key": ({}, {"key": rsa("stranger")}, "no published key matches its kid and alg"),
    "another algorithm": ({}, {"key": elliptic()}, "no published key matches its kid and alg"),
    "another type": ({}, {"header": {"typ": "at+jwt"}}, "its typ is not that of an ID token"),
}


@pytest.mark.parametrize(("grant", "changes", "words"), SIGNATURES.values(), ids=SIGNATURES)
def test_an_id_token_is_not_signed_or_typed_as_it_must_be(site, grant, changes, words):
    site.op.grant = grant
    for name, value in changes.items():
        setattr(site.op, name, value)
    answer = sign_in(site)[1]
    assert answer.status_code == 502
    assert_told(site, words)


CALLBACKS = {
    "access_denied": (400, "the sign-in was cancelled"),
    "login_required": (400, "the user is not signed in at the provider"),
    "made_up_code": (400, "the provider has refused the sign-in"),
    "invalid_request": (
        502,
        "sign-in is not set up correctly for the identity provider",
    ),
    "unauthorized_client": (502, "sign-in is not set up"),
    "invalid_scope": (502, "sign-in is not set up"),
    "server_error": (503, "the provider is busy"),
    "temporarily_unavailable": (503, "the provider is busy"),
}


@pytest.mark.parametrize(("code", "told"), CALLBACKS.items(), ids=CALLBACKS)
def test_a_provider_sends_the_browser_back_with_an_error(site, code, told):
    status, words = told
    browser = Browser(site)
    state = begin(browser)
    reply = browser.go(f"/auth/callback?error={code}&error_description={PLANTED}&state={state}")
    assert reply.status_code == status
    assert words.lower() in reply.text.lower()
    assert_told(site, f"{ISSUER} sent the browser back with {code}")


@pytest.mark.parametrize("given", [f"{PLANTED}", "a%0Ab", "ada", "x" * 100, "a_" * 40])
def test_an_error_that_is_no_code_is_not_logged(site, given):
    browser = Browser(site)
    state = begin(browser)
    assert browser.go(f"/auth/callback?error={given}&state={state}").status_code == 400
    assert_told(site, "with an error without a usable code", secrets=["xxxx", "a_a_"])


def test_an_answer_of_another_provider_is_told(site):
    browser = Browser(site)
    state = begin(browser)
    reply = browser.go(f"/auth/callback?code={CODE}&iss=https://evil.example&state={state}")
    assert reply.status_code == 400
    assert_told(site, f"the answer is from another provider (iss) than {ISSUER}")


def test_a_reply_to_a_script_says_no_more_than_the_page(site):
    site.op.replies["/token"] = refusing(401, "invalid_client")
    browser = Browser(site)
    state = begin(browser)
    reply = browser.get(f"/auth/callback?code={CODE}&state={state}")
    assert (reply.status_code, reply.mimetype) == (502, "application/problem+json")
    assert reply.json["detail"] == "the provider did not accept the sign-in"
    assert "invalid_client" not in reply.text


# Tokens of a session


REFRESHES = {
    "away": ((503, {}), 503, "answered 503"),
    "wrong secret": (refusing(401, "invalid_client"), 502, "refused the grant: invalid_client"),
    "dead": (refusing(400, "invalid_grant"), 401, "refused the grant: invalid_grant"),
    "no code": (refusing(400), 502, "answered 400"),
}


@pytest.mark.parametrize(("reply", "status", "words"), REFRESHES.values(), ids=REFRESHES)
def test_a_token_is_not_refreshed(site, reply, status, words):
    browser, done = sign_in(site)
    assert done.status_code == 200
    site.wall.at += 60
    site.op.replies["/token"] = reply
    answer = browser.get("/web/me")
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 503)
    assert_told(site, f"{ISSUER}/token {words}")


FRESH = {
    "of somebody else": ({"sub": PLANTED}, "the refreshed ID token is another user's"),
    "iss": ({"iss": f"{ISSUER}/"}, "its iss is missing or wrong"),
    "logout token": ({"events": {}}, "it is not an ID token"),
}


@pytest.mark.parametrize(("claims", "words"), FRESH.values(), ids=FRESH)
def test_a_fresh_id_token_does_not_count(site, claims, words):
    browser, _ = sign_in(site)
    site.wall.at += 60
    site.op.grant = {"id_token": site.op.id_token(**claims)}
    assert browser.get("/web/me").status_code == 401
    assert_told(site, words)


EXCHANGES = {
    "of the token": (refusing(400, "invalid_request"), 401, "refused the grant: invalid_request"),
    "of the audience": (refusing(400, "invalid_target"), 502, "refused the grant: invalid_target"),
    "of us": (refusing(403, "access_denied"), 502, "refused the grant: access_denied"),
    "away": ((503, {}), 503, "answered 503"),
    "wrong secret": (refusing(401, "invalid_client"), 502, "refused the grant: invalid_client"),
}


def exchanging(site, reply):
    """Refreshes go on as before, exchanges do not."""

    def token(asked):
        return None if asked.form["grant_type"] == "refresh_token" else reply

    site.op.replies["/token"] = token


@pytest.mark.parametrize(("reply", "status", "words"), EXCHANGES.values(), ids=EXCHANGES)
def test_a_token_is_not_exchanged(site, reply, status, words):
    browser, _ = sign_in(site)
    exchanging(site, reply)
    answer = browser.get("/web/orders")
    assert (answer.status_code, answer.json["reason"]) == (status, "credentials")
    assert ("WWW-Authenticate" in answer.headers) is (status == 401)
    assert_told(site, f"{ISSUER}/token {words}")


@pytest.mark.parametrize(
    ("reply", "status", "words"),
    [
        (refusing(401, "invalid_client"), 502, "refused the grant: invalid_client"),
        (refusing(400, "invalid_scope"), 502, "refused the grant: invalid_scope"),
        ((500, {}), 503, "answered 500"),
    ],
)
def test_a_token_of_our_own_is_not_granted(site, reply, status, words):
    site.op.replies["/token"] = reply
    answer = Browser(site).get("/web/stock")
    assert (answer.status_code, answer.json["reason"]) == (status, "credentials")
    assert_told(site, f"{ISSUER}/token {words}")


# Bearer tokens


BEARERS = {
    "iss": ({"iss": "https://evil.example"}, {}, "its issuer is not known here (iss)"),
    "aud": ({"aud": PLANTED}, {}, "its aud is missing or wrong"),
    "exp": ({"exp": NOW - 60}, {}, "it has expired (exp)"),
    "typ": ({}, {"typ": "logout+jwt"}, "its typ is not that of an access token"),
    "id token": ({"nonce": "n"}, {}, "it is not an access token"),
    "refresh token": ({"typ": "Refresh"}, {}, "it is not an access token"),
    "bound": ({"cnf": {"jkt": PLANTED}}, {}, "it is bound to a key (cnf)"),
    "bound by certificate": ({"cnf": {"x5t#S256": PLANTED}}, {}, "it is bound to a key (cnf)"),
    "bound by nothing": ({"cnf": None}, {}, "it is bound to a key (cnf)"),
    "kid": ({}, {"kid": "made-up"}, "no published key matches its kid and alg"),
}


@pytest.mark.parametrize(("claims", "header", "words"), BEARERS.values(), ids=BEARERS)
def test_a_bearer_token_does_not_count(site, claims, header, words):
    token = site.op.access_token(header, **claims)
    reply = Browser(site).get("/mobile/me", headers={"Authorization": f"Bearer {token}"})
    assert reply.status_code == 401
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]
    assert_told(site, words, secrets=[token, token.split(".")[2]])


@pytest.mark.parametrize(
    ("path", "reply", "status"),
    [("/jwks", (503, {}), 503), ("/jwks", (404, {}), 502), (DISCOVERY, (404, {}), 502)],
)
def test_the_keys_of_bearer_tokens_cannot_be_had(site, path, reply, status):
    site.op.replies[path] = reply
    token = site.op.access_token()
    for _ in range(2):  # the second is told why without another request
        answer = Browser(site).get("/mobile/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
    assert_told(site, f"{ISSUER}{path} answered {reply[0]}", secrets=[token])
    assert site.log().count(f"{ISSUER}{path} answered {reply[0]}") == 2


# Logout tokens


LOGOUTS = {
    "iss": (
        {"iss": "https://evil.example"},
        {},
        "the issuer is not a configured provider",
    ),
    "aud": ({"aud": PLANTED}, {}, "its aud is missing or wrong"),
    "exp": ({"exp": NOW - 60}, {}, "it has expired (exp)"),
    "typ": ({}, {"typ": "at+jwt"}, "its typ is not that of a logout token"),
    "nonce": ({"nonce": PLANTED}, {}, "it has a nonce"),
    "events": ({"events": {}}, {}, "its events are not a logout"),
    "jti": ({"jti": ABSENT}, {}, "its jti is missing"),
    "kid": ({}, {"kid": "made-up"}, "no published key matches its kid and alg"),
}


@pytest.mark.parametrize(("claims", "header", "words"), LOGOUTS.values(), ids=LOGOUTS)
def test_a_logout_token_does_not_count(site, claims, header, words):
    token = site.op.logout_token(header, **claims)
    reply = Browser(site).client.post(
        "/auth/backchannel-logout", base_url="https://shop.example", data={"logout_token": token}
    )
    assert reply.status_code == 400
    assert_told(site, words, secrets=[token])
