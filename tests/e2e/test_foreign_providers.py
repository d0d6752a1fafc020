"""The real app under gunicorn, signing in at providers that this project did not write.

The service behind it takes a token only if the provider that it is from does.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bff.dev.stub import StubReply, StubRequest, StubServices
from tests.auth.redis_server import free_port
from tests.e2e.providers.foreign import from_pypi
from tests.e2e.serving import Served, Visitor, served, until

TOKEN_SECONDS = 2
CONFIG = """
frontends: {{web: {{access: session}}}}
session: {{secrets: ["0123456789012345678901234567890123456789"]}}
services: {{users: {{url: "{users}", timeout: 5s, credentials: session}}}}
providers:
  main: {provider}
"""
ME = """
get: /me
timeout: 10s
call: {get: "users:/me"}
"""


class Users:
    """A service that knows of a person what the provider tells it for their token."""

    def __init__(self, userinfo: str) -> None:
        self._userinfo = userinfo

    def __call__(self, request: StubRequest) -> StubReply:
        token = request.header("Authorization") or ""
        told = httpx.get(self._userinfo, headers={"Authorization": token})
        if told.status_code != httpx.codes.OK:
            return StubReply.problem(401, "The provider does not know this token")
        return StubReply.json({**told.json(), "token": token})


@dataclass(frozen=True)
class Site:
    app: Served
    issuer: str

    def sign_in(self, visitor: Visitor, account: str) -> httpx.Response:
        """Where somebody gets to who says who they are."""
        form = visitor.go("/auth/login?return_to=/livez")
        assert str(form.url).startswith(f"{self.issuer}/")
        return visitor.submit(form, sub=account)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """With oidc-provider-mock, at which we have registered."""
    folder = tmp_path_factory.mktemp("pypi")
    port = free_port()
    with ExitStack() as stack:
        issuer = stack.enter_context(from_pypi(folder, free_port(), TOKEN_SECONDS))
        wanted = {"redirect_uris": [f"http://127.0.0.1:{port}/auth/callback"]}
        client = httpx.post(f"{issuer}/oauth2/clients", json=wanted).json()
        stubs = stack.enter_context(StubServices({"users": Users(f"{issuer}/userinfo")}))
        provider = (
            f"{{issuer: '{issuer}', client_id: '{client['client_id']}',"
            f" client_secret: '{client['client_secret']}', scopes: [openid, email], claims: [email]}}"
        )
        config = CONFIG.format(users=stubs.urls["users"], provider=provider)
        app = served(folder / "app", config, {"me": ME}, workers=2, port=port)
        yield Site(stack.enter_context(app), issuer)


@pytest.fixture
def ada(site: Site) -> Iterator[Visitor]:
    """She is signed in."""
    with site.app.visitor() as visitor:
        back = site.sign_in(visitor, "ada")
        assert (back.status_code, urlsplit(str(back.url)).path) == (200, "/livez")
        yield visitor


def test_a_person_signs_in_and_a_service_is_called_with_their_token(ada: Visitor) -> None:
    session = ada.ask("/auth/session").json()
    assert (session["authenticated"], session["sub"]) == (True, "ada")
    assert session["claims"] == {"email": "ada@example.org"}
    me = ada.ask("/web/me")
    assert me.status_code == 200
    assert (me.json()["sub"], me.json()["email"]) == ("ada", "ada@example.org")
    assert me.json()["token"].startswith("Bearer ")


def test_two_people_are_two_people(site: Site, ada: Visitor) -> None:
    with site.app.visitor() as grace:
        site.sign_in(grace, "grace")
        assert grace.ask("/web/me").json()["sub"] == "grace"
        assert ada.ask("/web/me").json()["sub"] == "ada"


def test_a_token_that_ends_is_refreshed(ada: Visitor) -> None:
    session, first = ada.session, ada.ask("/web/me").json()["token"]

    def refreshed() -> bool:
        me = ada.ask("/web/me")
        assert me.status_code == 200
        return bool(me.json()["token"] != first)

    until("a token that is another", refreshed, within=5 * TOKEN_SECONDS)
    assert ada.session == session


def test_signing_out_leads_by_the_provider_and_back(site: Site, ada: Visitor) -> None:
    session = ada.session
    out = ada.ask("/auth/logout?return_to=/readyz", "POST").json()["logout_url"]
    assert out.startswith(f"{site.issuer}/oauth2/end_session?")
    assert parse_qs(urlsplit(out).query)["id_token_hint"]
    assert not ada.session
    back = ada.submit(ada.go(out))
    assert str(back.url) == f"{site.app.url}/readyz"
    assert ada.ask("/web/me").status_code == 401
    with site.app.lines() as lines:
        for each, *_ in lines.values():
            assert each.ask("/auth/session", session).json == {"authenticated": False}


def test_a_refresh_token_that_is_revoked_ends_the_session(site: Site, ada: Visitor) -> None:
    httpx.post(f"{site.issuer}/users/ada/revoke-tokens").raise_for_status()
    me = ada.ask("/web/me")
    assert me.status_code == 401
    assert me.headers["Content-Type"] == "application/problem+json"
    assert me.headers["WWW-Authenticate"].startswith("Session ")
    assert ada.ask("/auth/session").json() == {"authenticated": False}


def test_who_does_not_want_to_sign_in_is_told_so_on_a_page(site: Site) -> None:
    with site.app.visitor() as somebody:
        form = somebody.go("/auth/login")
        page = somebody.submit(form, action="deny")
        assert page.status_code == 400
        assert page.headers["Content-Type"].startswith("text/html")
        assert page.headers["X-Request-Id"] in page.text
        assert not somebody.session
