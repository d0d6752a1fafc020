"""The local provider, when it is told to misbehave."""

import json
from base64 import b64encode
from http.client import HTTPConnection
from threading import Thread
from time import monotonic
from urllib.parse import urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from bff.dev.provider.app import LocalProvider
from bff.dev.provider.values import RegisteredClient

FORM = "application/x-www-form-urlencoded"
CLIENT = RegisteredClient("shop", "secret", ("http://127.0.0.1:1/back",))
BASIC = "Basic " + b64encode(b"shop:secret").decode()


@pytest.fixture
def provider():
    with LocalProvider([CLIENT]) as made:
        yield made


def ask(provider, method, path, body=None, kind="application/json", **headers):
    parts = urlsplit(provider.issuer)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=10)
    sent = {"Content-Type": kind, "Authorization": BASIC, **headers}
    connection.request(method, path, body, sent)
    reply = connection.getresponse()
    text = reply.read().decode()
    connection.close()
    return reply, json.loads(text) if text.startswith("{") else text


def control(provider, document):
    reply, body = ask(provider, "PUT", "/oauth/control", json.dumps(document))
    return reply.status, body


def token(provider, **form):
    form = urlencode({"grant_type": "client_credentials", **form})
    reply, body = ask(provider, "POST", "/oauth/token", form, FORM)
    return reply.status, body


def test_an_endpoint_refuses_until_it_is_told_otherwise(provider):
    assert control(provider, {"token": {"refuse": "invalid_grant"}})[0] == 200
    assert ask(provider, "GET", "/oauth/control")[1] == {"token": {"refuse": "invalid_grant"}}
    assert token(provider) == (400, {"error": "invalid_grant", "error_description": ANY_WORDS})
    assert control(provider, {"token": None}) == (200, {})
    assert token(provider)[0] == 200


ANY_WORDS = "a fault set with /oauth/control"


def test_one_grant_type_refuses_and_the_others_go_on(provider):
    provider.control.set("refresh_token", refuse="invalid_client")
    assert token(provider)[0] == 200
    assert token(provider, grant_type="refresh_token")[0] == 401
    provider.control.set("client_credentials", status=503)
    assert token(provider) == (503, "")


def test_a_refused_sign_in_goes_back_to_the_application(provider):
    provider.control.set("authorize", refuse="temporarily_unavailable")
    asked = {"client_id": "shop", "redirect_uri": CLIENT.redirect_uris[0], "scope": "openid",
             "response_type": "code", "code_challenge": "c" * 43,
             "code_challenge_method": "S256"}  # fmt: skip
    reply, _ = ask(provider, "GET", f"/oauth/authorize?{urlencode(asked)}")
    assert "error=temporarily_unavailable" in reply.getheader("Location")


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ("metadata", "/.well-known/openid-configuration"),
        ("jwks", "/oauth/jwks"),
        ("end_session", "/oauth/end-session"),
    ],
)
def test_any_endpoint_can_be_out_of_order(provider, what, path):
    provider.control.set(what, status=502)
    assert ask(provider, "GET", path)[0].status == 502
    provider.control.reset()
    assert ask(provider, "GET", path)[0].status == 200


def test_what_hangs_is_answered_once_it_is_told_to_go_on(provider):
    provider.control.set("token", hang=60)
    answers = []
    waiting = Thread(target=lambda: answers.append(token(provider)[0]))
    began = monotonic()
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    assert ask(provider, "DELETE", "/oauth/control")[1] == {}
    waiting.join(10)
    assert answers == [200]
    assert monotonic() - began < 30


def test_a_hang_ends_by_itself(provider):
    provider.control.set("token", hang=0.05)
    assert token(provider)[0] == 200


def keys(provider):
    return KeySet.import_key_set(ask(provider, "GET", "/oauth/jwks")[1])


def test_keys_rotate_and_the_one_before_is_published_beside_the_new(provider):
    before = token(provider)[1]["access_token"]
    assert control(provider, {"keys": "rotate"}) == (200, {})
    after = token(provider)[1]["access_token"]
    assert (
        jwt.decode(before, keys(provider)).header["kid"]
        != jwt.decode(after, keys(provider)).header["kid"]
    )


def test_keys_that_are_revoked_are_published_no_more(provider):
    before = token(provider)[1]["access_token"]
    assert control(provider, {"keys": "revoke"}) == (200, {})
    with pytest.raises((JoseError, ValueError)):
        jwt.decode(before, keys(provider))
    assert jwt.decode(token(provider)[1]["access_token"], keys(provider)).claims["sub"] == "shop"


@pytest.mark.parametrize(
    "document",
    [
        "[]",
        "{}",
        "x",
        '{"nothing": {"hang": 1}}',
        '{"token": {"hang": -1}}',
        '{"token": {"hang": 601}}',
        '{"token": {"hang": true}}',
        '{"token": {"hang": "1"}}',
        '{"token": {"status": 200}}',
        '{"token": {"sleep": 1}}',
        '{"token": "hang"}',
        '{"jwks": {"refuse": "invalid_grant"}}',
        '{"keys": "lose"}',
    ],
)
def test_what_cannot_be_done_is_said(provider, document):
    reply, body = ask(provider, "PUT", "/oauth/control", document)
    assert reply.status == 400
    assert body["error"]
    assert ask(provider, "GET", "/oauth/control")[1] == {}


def test_a_web_page_cannot_control_it(provider):
    """A form has no such Content-Type, and a page whose name resolves here no such Host."""
    document = '{"token": {"status": 503}}'
    assert ask(provider, "PUT", "/oauth/control", document, "text/plain")[0].status == 415
    reply, _ = ask(provider, "PUT", "/oauth/control", document, Host="evil.example")
    assert reply.status == 421
    assert ask(provider, "POST", "/oauth/control", document)[0].status == 405
    reply, _ = ask(provider, "OPTIONS", "/oauth/control", Origin="https://evil.example")
    assert reply.getheader("Access-Control-Allow-Origin") is None
