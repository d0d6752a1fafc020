"""Signing in once more: the provider has one grant for all of it, which must outlive the old."""

from urllib.parse import urlsplit

import httpx
import pytest

from bff.auth.session.sessions import key_of
from tests.web.access.test_sign_in import COOKIE, Browser, site

__all__ = ["site"]


def refreshed(site, browser):
    """What a view is answered once the access token has to be refreshed."""
    site.wall.at += 290
    before = site.idp.tokens.granted["refresh_token"]
    reply = browser.get("/web/me")
    assert site.idp.tokens.granted["refresh_token"] == before + (reply.status_code == 200)
    return reply.status_code


@pytest.mark.parametrize(
    "path",
    [
        "/auth/login",
        "/auth/login?acr_values=urn:shop:mfa",
        "/auth/login?max_age=0",
        "/auth/login?prompt=login",
        "/auth/login?prompt=consent",
        "/auth/login?prompt=none",
    ],
)
def test_a_session_that_replaces_another_outlives_it(site, path):
    browser = Browser(site)
    browser.sign_in()
    browser.sign_in(path)
    assert refreshed(site, browser) == 200
    assert refreshed(site, browser) == 200
    assert browser.sign_in("/auth/login?prompt=none").status_code == 200, "nor did that one end"


def test_of_two_tabs_that_sign_in_at_once_neither_ends_what_the_other_has(site):
    browser = Browser(site)
    backs = [browser.at_provider(browser.go("/auth/login")) for _ in range(2)]
    for back in backs:
        assert browser.go(back).status_code == 200
        browser.client.set_cookie("other", "x", domain="shop.example")
    assert refreshed(site, browser) == 200


def test_tabs_without_the_strict_cookie_leave_a_session_that_can_be_ended(site):
    """The first tab's session is not known to the second's callback, and is a leftover."""
    browser = Browser(site)
    backs = [browser.at_provider(browser.go("/auth/login")) for _ in range(2)]
    for back in backs:
        browser.client.delete_cookie(COOKIE, domain="shop.example")
        browser.go(back)
    assert len(browser.get("/auth/sessions").json["sessions"]) == 2
    assert browser.get("/auth/sessions?keep=current", method="DELETE").status_code == 204
    assert refreshed(site, browser) == 200


def test_one_device_of_the_list_is_signed_out_and_its_sibling_goes_on(site):
    browser = Browser(site)
    backs = [browser.at_provider(browser.go("/auth/login")) for _ in range(2)]
    for back in backs:
        browser.client.delete_cookie(COOKIE, domain="shop.example")
        browser.go(back)
    (other,) = [
        each["id"] for each in browser.get("/auth/sessions").json["sessions"] if not each["current"]
    ]
    assert browser.get(f"/auth/sessions/{other}", method="DELETE").status_code == 204
    assert refreshed(site, browser) == 200


def refresh_token(site, browser):
    sessions = site.app.view_functions["GET /auth/session"].__closure__
    (parts,) = [each.cell_contents for each in sessions if hasattr(each.cell_contents, "sessions")]
    return parts.sessions.tokens(key_of(browser.cookie.value)).tokens.refresh


def is_dead(site, token):
    """Whether the provider takes a refresh token no more."""
    grant = site.idp.tokens._grants
    return token.partition(".")[0] not in grant._families


def test_another_device_that_is_signed_out_has_its_grant_revoked(site):
    phone, laptop = Browser(site), Browser(site)
    phone.sign_in()
    laptop.sign_in()
    token = refresh_token(site, phone)
    assert laptop.get("/auth/sessions?keep=current", method="DELETE").status_code == 204
    assert is_dead(site, token)
    assert refreshed(site, laptop) == 200


def test_signing_out_everywhere_revokes_all_grants(site):
    browsers = [Browser(site), Browser(site)]
    for each in browsers:
        each.sign_in()
    tokens = [refresh_token(site, each) for each in browsers]
    assert browsers[0].get("/auth/sessions", method="DELETE").status_code == 204
    assert [is_dead(site, each) for each in tokens] == [True, True]


def test_signing_out_revokes_the_grant_though_another_session_has_it_too(site):
    """At two hosts of ours, say: the provider ends all of its session with a sign-out."""
    browser = Browser(site)
    browser.sign_in()
    here = Browser(site, "http://localhost")
    here.at_provider_jar = browser.at_provider_jar
    here.sign_in()
    token = refresh_token(site, browser)
    assert browser.get("/auth/logout", method="POST").status_code == 200
    assert is_dead(site, token)


def test_of_two_hosts_of_ours_one_signs_in_again_and_the_other_goes_on(site):
    browser = Browser(site)
    browser.sign_in()
    here = Browser(site, "http://localhost")
    here.at_provider_jar = browser.at_provider_jar
    here.sign_in()
    here.sign_in("/auth/login?max_age=0")
    assert refreshed(site, browser) == 200
    assert refreshed(site, here) == 200


def test_another_person_in_the_same_browser_ends_the_grant_of_the_first(site):
    browser = Browser(site)
    browser.sign_in()
    token = refresh_token(site, browser)
    begun = browser.go("/auth/login?prompt=select_account").headers["Location"]
    chosen = httpx.post(
        begun, data={"account": "grace"}, cookies=browser.at_provider_jar,
        headers={"Origin": site.idp.issuer},
    )  # fmt: skip
    parts = urlsplit(chosen.headers["Location"])
    assert browser.go(f"{parts.path}?{parts.query}").status_code == 200
    assert browser.get("/auth/session").json["sub"] == "grace"
    assert is_dead(site, token)
    assert refreshed(site, browser) == 200


def test_an_idle_session_that_is_replaced_does_not_take_the_new_one_along(site):
    browser = Browser(site)
    browser.sign_in()
    site.wall.at += 1801
    assert browser.get("/auth/session").json == {"authenticated": False}
    browser.sign_in()
    assert refreshed(site, browser) == 200


def test_a_step_up_that_fails_costs_no_session(site):
    browser = Browser(site)
    browser.sign_in()
    site.idp.control.set("authorization_code", refuse="invalid_grant")
    assert browser.sign_in("/auth/login?acr_values=gold").status_code == 400
    site.idp.control.reset()
    assert refreshed(site, browser) == 200
