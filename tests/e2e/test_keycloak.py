"""The real app under gunicorn, signing in at Keycloak."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from secrets import token_urlsafe
from urllib.parse import urlsplit

import httpx
import pytest

from tests.auth.redis_server import free_port
from tests.e2e.browser import until
from tests.e2e.providers.foreign import app_before
from tests.e2e.providers.keycloak import CLIENT, from_maven
from tests.e2e.serving import Served, Visitor

pytestmark = pytest.mark.large
REFRESHED_WITHIN = 30.0  # seconds; tokens last five


@dataclass(frozen=True)
class Site:
    app: Served
    issuer: str

    def sign_in(self, visitor: Visitor, who: str, path: str = "/auth/login") -> httpx.Response:
        """Where somebody gets to who fills the form in."""
        joint = "&" if "?" in path else "?"
        form = visitor.go(f"{path}{joint}return_to=/livez")
        assert str(form.url).startswith(f"{self.issuer}/"), form.text
        back = visitor.submit(form, username=who, password=who)
        assert (back.status_code, urlsplit(str(back.url)).path) == (200, "/livez"), back.text
        return back


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, port, secret = tmp_path_factory.mktemp("keycloak"), free_port(), token_urlsafe(32)
    (folder / "client-secret").write_text(secret)
    with ExitStack() as stack:
        app = f"http://127.0.0.1:{port}"
        issuer = stack.enter_context(from_maven(folder, free_port(), app, secret))
        provider = (
            f"{{issuer: '{issuer}', client_id: {CLIENT},"
            f" client_secret: '${{file:{folder}/client-secret}}',"
            " scopes: [openid, email], claims: [email]}"
        )
        userinfo = f"{issuer}/protocol/openid-connect/userinfo"
        served = app_before(folder, port, userinfo, provider)
        yield Site(stack.enter_context(served), issuer)


def refreshed(visitor: Visitor) -> None:
    """The next token is another, and the view is answered all the time."""
    first = visitor.ask("/web/me").json()["token"]

    def another() -> bool:
        me = visitor.ask("/web/me")
        assert me.status_code == 200, me.text
        return bool(me.json()["token"] != first)

    until(another, "a token that is another", within=REFRESHED_WITHIN)


def test_a_session_that_steps_up_outlives_the_one_before(site: Site) -> None:
    """Keycloak has one session for both, and ends it when a token of it is revoked."""
    with site.app.visitor() as ada:
        site.sign_in(ada, "ada")
        assert ada.ask("/auth/session").json()["claims"] == {"email": "ada@example.org"}
        refreshed(ada)
        first = ada.session
        site.sign_in(ada, "ada", "/auth/login?prompt=login")
        assert ada.session != first
        refreshed(ada)
        again = ada.go("/auth/login?return_to=/livez")
        assert str(again.url) == f"{site.app.url}/livez", "nobody is asked: the sign-in goes on"
        refreshed(ada)


def test_signing_out_with_a_hundred_roles_leads_there_and_back(site: Site) -> None:
    with site.app.visitor() as admin:
        site.sign_in(admin, "admin")
        out = admin.ask("/auth/logout?return_to=/readyz", "POST").json()["logout_url"]
        back = admin.go(out)
        assert str(back.url) == f"{site.app.url}/readyz"
        (there,) = [each for each in admin.visited if each.path.endswith("/logout")][-1:]
        assert len(there.params["id_token_hint"]) > 5600
        again = admin.go("/auth/login")
        assert str(again.url).startswith(f"{site.issuer}/"), "nobody is signed in there any more"


def test_signing_out_there_signs_out_here(site: Site) -> None:
    with site.app.visitor() as ada:
        site.sign_in(ada, "ada")
        page = ada.go(f"{site.issuer}/protocol/openid-connect/logout")
        ada.submit(page)
        assert ada.ask("/auth/session").json() == {"authenticated": False}
