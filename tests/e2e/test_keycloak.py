"""Sessions of people who have signed in at Keycloak: how they begin, step up and end."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.e2e.providers.keycloak import Keycloak
from tests.e2e.providers.keycloak_realm import claims_of, one_time_password
from tests.e2e.providers.keycloak_site import (
    MFA,
    Site,
    ends,
    is_back,
    is_signed_in,
    refreshed,
    site_at,
    token_of,
)
from tests.e2e.serving import Visitor

pytestmark = pytest.mark.large
PASSWORD = "urn:shop:password"


@pytest.fixture(scope="module")
def site(keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site_at(keycloak, tmp_path_factory.mktemp("sessions"), "sessions") as site:
        yield site


@pytest.fixture
def ada(site: Site) -> Iterator[Visitor]:
    """She is signed in."""
    with site.app.visitor() as visitor:
        site.sign_in(visitor)
        yield visitor


def test_a_person_signs_in_and_services_get_their_token(site: Site, ada: Visitor) -> None:
    session = ada.ask("/auth/session").json()
    assert (session["authenticated"], session["provider"]) == (True, "main")
    assert session["claims"] == {"email": "ada@example.org", "acr": PASSWORD}
    (back,) = [each for each in ada.visited if each.path == "/auth/callback"]
    assert back.params["iss"] == site.issuer
    me = ada.ask("/web/me").json()
    assert (me["sub"], me["email"]) == (session["sub"], "ada@example.org")
    claims = claims_of(me["token"])
    assert (claims["iss"], claims["azp"], claims["sub"]) == (site.issuer, "shop", session["sub"])


def test_a_wrong_password_signs_nobody_in(site: Site) -> None:
    with site.app.visitor() as visitor:
        again = visitor.submit(site.form(visitor), username="ada", password="guessed")
        assert str(again.url).startswith(f"{site.issuer}/")
        assert not is_signed_in(visitor)
        is_back(visitor.submit(again, username="ada", password="ada"))
        assert is_signed_in(visitor)


def test_a_second_factor_opens_the_view_that_requires_it(site: Site, ada: Visitor) -> None:
    assert ada.ask("/web/transfer").status_code == 403
    before = ada.session
    form = site.form(ada, f"/auth/login?acr_values={MFA}")
    assert 'name="otp"' in form.text
    assert 'name="password"' not in form.text, "that is given already"
    is_back(ada.submit(form, otp=one_time_password()))
    assert ada.session != before
    assert ada.ask("/auth/session").json()["claims"]["acr"] == MFA
    assert ada.ask("/web/transfer").status_code == 200
    refreshed(ada)
    assert ada.ask("/web/transfer").status_code == 200, "and after its tokens are others"


def test_a_level_that_keycloak_does_not_know_replaces_no_session(ada: Visitor) -> None:
    """Keycloak takes `acr_values` for a wish (OpenID Connect Core, section 3.1.2.1)."""
    page = ada.go("/auth/login?acr_values=urn:shop:unheard-of")
    assert (page.status_code, urlsplit(str(page.url)).path) == (400, "/auth/callback")
    assert ada.ask("/auth/session").json()["claims"]["acr"] == PASSWORD
    refreshed(ada)


@pytest.mark.parametrize("again", ["prompt=login", "max_age=0"])
def test_a_session_that_steps_up_outlives_the_one_before(
    site: Site, ada: Visitor, again: str
) -> None:
    """Keycloak has one session for both, and ends it when a token of it is revoked."""
    refreshed(ada)
    first = ada.session
    site.sign_in(ada, "ada", f"/auth/login?{again}")
    assert ada.session != first
    refreshed(ada)
    page = ada.go("/auth/login?return_to=/livez")
    assert str(page.url) == f"{site.url}/livez", "no question is asked: the sign-in goes on"
    refreshed(ada)


def test_signing_out_with_a_hundred_roles_leads_there_and_back(site: Site) -> None:
    with site.app.visitor() as admin:
        site.sign_in(admin, "admin")
        assert len(token_of(admin)) > 6000
        refreshed(admin)
        out = admin.ask("/auth/logout?return_to=/readyz", "POST").json()["logout_url"]
        back = admin.go(out)
        assert str(back.url) == f"{site.url}/readyz"
        (there,) = [each for each in admin.visited if each.path.endswith("/logout")][-1:]
        assert len(there.params["id_token_hint"]) > 5600
        again = admin.go("/auth/login")
        assert str(again.url).startswith(f"{site.issuer}/"), "the session there has ended"


def test_signing_out_there_signs_out_here(site: Site, ada: Visitor) -> None:
    page = ada.go(f"{site.issuer}/protocol/openid-connect/logout")
    ada.submit(page)
    assert not is_signed_in(ada)
    assert ada.ask("/web/me").status_code == 401


@pytest.mark.parametrize("what", ["one session", "all of a person"])
def test_an_administrator_ends_sessions_at_once_by_back_channel(
    site: Site, ada: Visitor, what: str
) -> None:
    with site.app.visitor() as elsewhere, site.app.visitor() as admin:
        site.sign_in(elsewhere)
        site.sign_in(admin, "admin")
        if what == "one session":
            site.realm.end_session(claims_of(token_of(ada))["sid"])
        else:
            site.realm.sign_out("ada")
        assert not is_signed_in(ada)
        assert ada.ask("/web/echo").status_code == 401
        assert is_signed_in(elsewhere) == (what == "one session")
        assert is_signed_in(admin)


def test_without_back_channel_a_session_ends_with_its_refresh(site: Site, ada: Visitor) -> None:
    url = f"{site.app.url}/auth/backchannel-logout"
    site.realm.set_client(backchannel__logout__url="")
    try:
        site.realm.end_session(claims_of(token_of(ada))["sid"])
        assert is_signed_in(ada), "it was not told"
        ends(ada)
    finally:
        site.realm.set_client(backchannel__logout__url=url)
