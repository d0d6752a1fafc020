"""The real app under gunicorn, signing in at providers that this project did not write."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from secrets import token_urlsafe
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.e2e.browser import until
from tests.e2e.providers.foreign import FromNpm, app_before, from_npm, from_pypi
from tests.e2e.serving import Served, Visitor
from tests.ports import free_port

CLIENT = "shop"
TOKEN_SECONDS = 2


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
        (folder / "client-secret").write_text(client["client_secret"])
        provider = (
            f"{{issuer: '{issuer}', client_id: '{client['client_id']}',"
            f" client_secret: '${{file:{folder}/client-secret}}',"
            " scopes: [openid, email], claims: [email]}"
        )
        app = app_before(folder, port, f"{issuer}/userinfo", provider)
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

    until(refreshed, "a token that is another", within=5 * TOKEN_SECONDS)
    assert ada.session == session


def test_signing_out_leads_by_the_provider_and_back(site: Site, ada: Visitor) -> None:
    session = ada.session
    out = ada.ask("/auth/logout?return_to=/readyz", "POST").json()["logout_url"]
    assert not ada.session
    page = ada.go(out)
    assert str(page.url).startswith(f"{site.issuer}/oauth2/end_session?")
    assert page.url.params["id_token_hint"]
    back = ada.submit(page)
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
    assert_ends(ada)


def assert_ends(visitor: Visitor) -> None:
    """The service refuses the token; once that is no new one any more, it is refreshed: in vain."""

    def over() -> bool:
        assert visitor.ask("/web/me").status_code == 401
        return visitor.ask("/auth/session").json() == {"authenticated": False}

    until(over, "the session is over", within=5 * TOKEN_SECONDS)


def test_who_does_not_want_to_sign_in_is_told_so_on_a_page(site: Site) -> None:
    with site.app.visitor() as somebody:
        form = somebody.go("/auth/login")
        page = somebody.submit(form, action="deny")
        assert page.status_code == 400
        assert page.headers["Content-Type"].startswith("text/html")
        assert page.headers["X-Request-Id"] in page.text
        assert not somebody.session


@dataclass(frozen=True)
class Strict:
    """The app, with a provider that rotates refresh tokens, and wants our signature for them."""

    app: Served
    provider: FromNpm
    key: ECKey

    def sign_in(self, visitor: Visitor, who: str = "ada") -> httpx.Response:
        """Where somebody gets to; without `prompt=consent` there would be no refresh token."""
        form = visitor.go("/auth/login?return_to=/livez&prompt=consent")
        return visitor.submit(visitor.submit(form, login=who, password="any"))

    def refresh(self, token: str) -> httpx.Response:
        """What somebody is answered who has stolen a refresh token, and our key as well."""
        now = int(time.time())
        claims = {"iss": CLIENT, "sub": CLIENT, "aud": self.provider.issuer}
        claims |= {"jti": token_urlsafe(), "iat": now, "exp": now + 60}
        form = {
            "grant_type": "refresh_token",
            "refresh_token": token,
            "client_id": CLIENT,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode({"alg": "ES256"}, claims, self.key),
        }
        return httpx.post(f"{self.provider.issuer}/token", data=form)


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    """With oidc-provider."""
    folder = tmp_path_factory.mktemp("npm")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    key = ECKey.generate_key("P-256", {"kid": "ours"})
    (folder / "key.pem").write_bytes(key.as_pem(private=True))
    client = {
        "client_id": CLIENT,
        "token_endpoint_auth_method": "private_key_jwt",
        "token_endpoint_auth_signing_alg": "ES256",
        "jwks": {"keys": [key.as_dict(private=False)]},
        "grant_types": ["authorization_code", "refresh_token"],
        "redirect_uris": [f"{url}/auth/callback"],
        "post_logout_redirect_uris": [f"{url}/auth/logged-out"],
        "backchannel_logout_uri": f"{url}/auth/backchannel-logout",
        "backchannel_logout_session_required": True,
    }
    with ExitStack() as stack:
        provider = stack.enter_context(from_npm(folder, free_port(), client))
        declared = (
            f"{{issuer: '{provider.issuer}', client_id: {CLIENT}, key_id: ours,"
            f" private_key: '${{file:{folder}/key.pem}}',"
            " scopes: [openid, email, offline_access], claims: [email]}"
        )
        app = app_before(folder, port, f"{provider.issuer}/me", declared)
        yield Strict(stack.enter_context(app), provider, key)


@pytest.fixture
def here(strict: Strict) -> Iterator[Visitor]:
    """Ada is signed in."""
    with strict.app.visitor() as visitor:
        assert strict.sign_in(visitor).status_code == 200
        yield visitor


def next_token(visitor: Visitor, than: str) -> str:
    """The token that a service is called with once another than this one is used."""
    seen = [than]

    def another() -> bool:
        me = visitor.ask("/web/me")
        assert me.status_code == 200, me.text
        seen.append(me.json()["token"])
        return seen[-1] != than

    until(another, "a token that is another", within=5 * TOKEN_SECONDS)
    return seen[-1]


@pytest.mark.large
def test_a_strict_provider_names_itself_and_takes_our_signature(strict: Strict) -> None:
    with strict.app.visitor() as visitor:
        strict.sign_in(visitor)
        (back,) = [each for each in visitor.visited if each.path == "/auth/callback"]
        assert back.params["iss"] == strict.provider.issuer
        session = visitor.ask("/auth/session").json()
        assert (session["sub"], session["claims"]) == ("ada", {"email": "ada@example.org"})
        assert visitor.ask("/web/me").json()["email"] == "ada@example.org"


@pytest.mark.large
def test_refresh_tokens_rotate_and_each_is_used_once(strict: Strict, here: Visitor) -> None:
    before = len(strict.provider.granted)
    first = here.ask("/web/me").json()["token"]
    second = next_token(here, first)
    third = next_token(here, second)
    assert len({first, second, third}) == 3
    answered = strict.provider.granted[before - 1 :]
    assert len({each["refresh_token"] for each in answered}) == len(answered) == 3


@pytest.mark.large
def test_signing_in_again_adds_to_a_grant_that_goes_on(here: Visitor) -> None:
    """The provider has one grant for both sign-ins, and ends it as a whole."""
    before = here.session
    assert here.submit(here.go("/auth/login?return_to=/livez&prompt=consent")).status_code == 200
    assert here.session != before
    next_token(here, next_token(here, here.ask("/web/me").json()["token"]))
    here.ask("/auth/sessions?keep=current", "DELETE")
    next_token(here, next_token(here, here.ask("/web/me").json()["token"]))


@pytest.mark.large
def test_signing_out_leads_there_with_an_id_token_of_a_hundred_roles(strict: Strict) -> None:
    with strict.app.visitor() as admin:
        assert strict.sign_in(admin, "admin").status_code == 200
        out = admin.ask("/auth/logout?return_to=/readyz", "POST").json()["logout_url"]
        page = admin.go(out)
        assert len(page.url.params["id_token_hint"]) > 5600
        back = admin.submit(page, logout="yes")
        assert str(back.url) == f"{strict.app.url}/readyz"
        again = admin.go("/auth/login")
        assert again.url.path.startswith("/interaction/"), "nobody is signed in there any more"


@pytest.mark.large
def test_a_stolen_refresh_token_that_is_used_ends_the_session(
    strict: Strict, here: Visitor
) -> None:
    stolen = strict.provider.granted[-1]["refresh_token"]
    next_token(here, here.ask("/web/me").json()["token"])
    assert strict.refresh(stolen).json()["error"] == "invalid_grant"
    assert_ends(here)


@pytest.mark.large
def test_who_signs_out_at_the_provider_is_signed_out_here(strict: Strict, here: Visitor) -> None:
    session = here.session
    assert here.ask("/web/me").status_code == 200
    asked = here.go(f"{strict.provider.issuer}/session/end")
    here.submit(asked, logout="yes")
    with strict.app.lines() as lines:
        for each, *_ in lines.values():
            assert each.ask("/auth/session", session).json == {"authenticated": False}
            assert each.ask("/web/me", session).status == 401
    assert "back-channel: told" in strict.provider.log.read_text()


@pytest.mark.large
def test_signing_out_here_leads_by_a_strict_provider_and_back(
    strict: Strict, here: Visitor
) -> None:
    refresh = strict.provider.granted[-1]["refresh_token"]
    out = here.ask("/auth/logout?return_to=/readyz", "POST").json()["logout_url"]
    assert strict.refresh(refresh).json()["error"] == "invalid_grant", "it was revoked"
    back = here.submit(here.go(out), logout="yes")
    assert str(back.url) == f"{strict.app.url}/readyz"
    again = here.go("/auth/login")
    assert again.url.path.startswith("/interaction/"), "nobody is signed in there any more"
