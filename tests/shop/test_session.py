"""The shop with real sessions, where a team wants them: cookies, other sites, signing out."""

import pytest

from bff.testing import assert_outcomes

OWN = {"X-CSRF": "1"}


def test_a_browser_has_a_cookie_and_is_told_who_it_is(browser_for):
    browser = browser_for("ada", plan="pro", tenant="acme")
    page = browser.get("/web/home", headers=OWN)
    assert page.status_code == 200
    assert page.json["user"]["name"] == "Ada Lovelace"
    assert_outcomes(page, recommended="ok")
    told = browser.get("/auth/session", headers=OWN).json
    assert (told["authenticated"], told["sub"], told["claims"]) == (
        True,
        "ada",
        {"plan": "pro", "tenant": "acme"},
    )
    (cookie,) = browser._cookies.values()
    assert (cookie.key, cookie.secure, cookie.http_only) == ("__Host-Http-bff", True, True)


@pytest.mark.parametrize(
    "headers", [{}, OWN | {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}]
)
def test_what_another_site_sends_is_refused(browser_for, headers):
    browser = browser_for("ada", tenant="acme")
    refused = browser.post("/auth/logout", headers=headers)
    assert refused.status_code == 403
    assert browser.get("/web/home", headers=OWN).status_code == 200
    assert browser.get("/web/home").status_code == 403


def test_who_signs_out_is_signed_out_and_nobody_else(browser_for):
    ada, other, grace = (
        browser_for("ada", tenant="acme"),
        browser_for("ada", tenant="acme"),
        browser_for("grace", tenant="navy"),
    )
    devices = ada.get("/auth/sessions", headers=OWN).json["sessions"]
    assert sorted(each["current"] for each in devices) == [False, True]
    before = ada.get("/web/home", headers=OWN)
    assert before.status_code == 200
    assert ada.post("/auth/logout", headers=OWN).status_code == 200
    assert not ada._cookies
    assert ada.get("/web/home", headers=OWN).status_code == 401
    assert other.get("/web/home", headers=OWN).status_code == 200
    assert grace.get("/web/home", headers=OWN).status_code == 200


def test_a_session_that_is_not_used_ends(browser_for, bff_checked, bff_clock):
    browser = browser_for("ada", tenant="acme")
    bff_clock.advance(bff_checked.config.session.idle + 1)
    assert browser.get("/web/home", headers=OWN).status_code == 401


def test_the_service_is_asked_for_who_has_the_session(browser_for, upstream):
    route = upstream.users.get("/users/ada").respond(json={"name": "Ada", "plan": "free"})
    page = browser_for("ada", tenant="north", scope="orders.read").get("/mobile/home", headers=OWN)
    assert page.json["name"] == "Ada"
    assert route.calls[0].request.headers["Authorization"] == "Bearer token-of-ada"
    assert route.calls[0].request.headers["X-Tenant"] == "north"
