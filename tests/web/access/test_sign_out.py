"""Signing out: here and at the provider, by a script and by a form, whatever the tokens' size."""

from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx
import pytest

from bff.dev.provider.values import ACCOUNTS, Account
from bff.errors import StoreAway
from tests.web.access.test_sign_in import COOKIE, HOST, Browser, site

__all__ = ["site"]
FORM = {"Sec-Fetch-Site": "same-origin", "Origin": HOST}


def test_signing_out_ends_the_session_and_says_where_the_provider_ends_its_own(site):
    browser = Browser(site)
    browser.sign_in()
    given = browser.cookie.value
    token = browser.get("/web/me").json["token"].removeprefix("Bearer ")
    reply = browser.get("/auth/logout?return_to=/bye", method="POST")
    ours = reply.json["logout_url"]
    assert ours.startswith(f"{HOST}/auth/logout/provider?to=")
    url = browser.go(ours).headers["Location"]
    assert url.startswith(f"{site.idp.issuer}/oauth/end-session?")
    assert browser.cookie is None
    other = Browser(site)
    other.client.set_cookie(COOKIE, given, domain="shop.example", secure=True)
    assert other.get("/web/me").status_code == 401
    assert token not in reply.text
    assert [each.what for each in site.heard][-3:] == ["signed_in", "signed_out", "refused"]
    sent = dict(parse_qsl(urlsplit(url).query))
    back = browser.go(f"/auth/logged-out?state={sent['state']}")
    assert back.headers["Location"] == "/bye"


@pytest.mark.parametrize("given", ["", "=", "=00", "=xyz", "=é", "=" + "ab" * 100])
def test_coming_back_from_a_sign_out_with_no_state_of_ours_leads_to_the_start(site, given):
    assert Browser(site).go(f"/auth/logged-out?state{given}").headers["Location"] == "/"
    assert Browser(site).go(f"/auth/logout/provider?to{given}").headers["Location"] == "/"


def test_a_page_at_another_origin_can_go_where_it_is_told(site):
    """A path alone would lead to the page's own origin, which does not have it."""
    browser = Browser(site)
    browser.sign_in()
    headers = {"Origin": "https://spa.example", "Sec-Fetch-Site": "same-site"}
    path = "/auth/logout?return_to=https://spa.example/bye"
    reply = browser.get(path, method="POST", headers=headers)
    assert reply.headers["Access-Control-Allow-Origin"] == "https://spa.example"
    where = urljoin("https://spa.example/account", reply.json["logout_url"])
    assert where.startswith(f"{HOST}/auth/logout/provider?to=")
    back = browser.at_provider(browser.go(where))
    assert browser.go(back).headers["Location"] == "https://spa.example/bye"


def test_what_leads_out_leads_back_nowhere_and_neither_for_ever(site):
    browser = Browser(site)
    browser.sign_in()
    ours = browser.get("/auth/logout?return_to=/bye", method="POST").json["logout_url"]
    state = dict(parse_qsl(urlsplit(browser.go(ours).headers["Location"]).query))["state"]
    out = ours.partition("to=")[2]
    assert browser.go(f"/auth/logged-out?state={out}").headers["Location"] == "/"
    assert browser.go(f"/auth/logout/provider?to={state}").headers["Location"] == "/"
    site.wall.at += 601
    assert browser.go(ours).headers["Location"] == "/"
    assert browser.go(f"/auth/logged-out?state={state}").headers["Location"] == "/"


def onward(reply):
    """Where a page of ours goes on to after a sign-out."""
    assert (reply.status_code, reply.mimetype) == (200, "text/html"), reply.text
    assert "form-action 'none'" in reply.headers["Content-Security-Policy"]
    after, _, location = reply.headers["Refresh"].partition("; url=")
    assert after == "0"
    assert "signed out" in reply.text
    return location


def test_a_plain_form_signs_out_and_the_page_goes_on(site):
    """Not by a redirect, to which `form-action` of the form's page would apply in Chromium."""
    browser = Browser(site)
    browser.sign_in()
    reply = browser.client.post(
        "/auth/logout", base_url=HOST, headers=FORM, data={"return_to": "/bye"}
    )
    out = browser.go(onward(reply))
    assert out.headers["Location"].startswith(f"{site.idp.issuer}/oauth/end-session?")
    assert browser.go(browser.at_provider(out)).headers["Location"] == "/bye"
    assert browser.get("/web/me").status_code == 401


@pytest.mark.parametrize("where", ["/bye", "https://spa.example/bye"])
def test_a_plain_form_without_a_session_goes_on_too(site, where):
    reply = Browser(site).client.post(
        "/auth/logout", base_url=HOST, headers=FORM, data={"return_to": where}
    )
    assert onward(reply) == where


def with_roles(monkeypatch, count):
    """Ada has roles, as Keycloak writes them: about 60 characters each in her ID token."""
    roles = [f"department-{at:03}-administrator-of-everything" for at in range(count)]
    claims = {**ACCOUNTS["ada"].claims, "realm_access": {"roles": roles}}
    monkeypatch.setitem(ACCOUNTS, "ada", Account("ada", claims))


def test_a_long_id_token_is_in_no_address_of_ours(site, monkeypatch):
    with_roles(monkeypatch, 90)
    browser = Browser(site)
    browser.sign_in()
    ours = browser.get("/auth/logout?return_to=/bye", method="POST").json["logout_url"]
    assert len(ours) < 100
    out = browser.go(ours)
    hint = dict(parse_qsl(urlsplit(out.headers["Location"]).query))["id_token_hint"]
    assert 5600 < len(hint) < 7500
    assert browser.go(browser.at_provider(out)).headers["Location"] == "/bye"


def test_an_id_token_that_is_too_long_for_an_address_is_posted(site, monkeypatch):
    with_roles(monkeypatch, 200)
    browser = Browser(site)
    browser.sign_in()
    ours = browser.get("/auth/logout?return_to=/bye", method="POST").json["logout_url"]
    assert len(ours) < 100
    page = browser.go(ours)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "form-action" not in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert f'action="{site.idp.issuer}/oauth/end-session"' in page.text
    fields = {
        part.partition('"')[0]: part.partition('value="')[2].partition('"')[0]
        for part in page.text.split('name="')[1:]
        if 'value="' in part
    }
    assert len(fields["id_token_hint"]) > 8000
    back = httpx.post(f"{site.idp.issuer}/oauth/end-session", data=fields)
    parts = urlsplit(back.headers["Location"])
    assert browser.go(f"{parts.path}?{parts.query}").headers["Location"] == "/bye"
    assert browser.go(ours).text == page.text, "somebody may reload the page"


def test_the_way_back_from_the_provider_is_short_whatever_it_leads_to(site):
    browser = Browser(site)
    browser.sign_in()
    where = "/" + "x" * 2000
    ours = browser.get(f"/auth/logout?return_to={where}", method="POST").json["logout_url"]
    out = browser.go(ours)
    assert len(out.headers["Location"]) < 2000
    assert browser.go(browser.at_provider(out)).headers["Location"] == where


def test_a_way_out_at_one_host_is_none_at_another(site):
    browser = Browser(site)
    browser.sign_in()
    ours = browser.get("/auth/logout?return_to=/bye", method="POST").json["logout_url"]
    there = Browser(site, "http://localhost").go(ours.removeprefix(HOST))
    assert there.headers["Location"] == "/"
    assert browser.go(ours).headers["Location"].startswith(site.idp.issuer)


def test_a_sign_out_whose_hint_cannot_be_stored_leads_to_the_provider_without(site, monkeypatch):
    def full(*_):
        raise StoreAway("it is full")

    browser = Browser(site)
    browser.sign_in()
    monkeypatch.setattr("bff.store.sqlite.SqliteStore.put", full)
    url = browser.get("/auth/logout", method="POST").json["logout_url"]
    assert url.startswith(f"{site.idp.issuer}/oauth/end-session?client_id=shop&")
    assert "id_token_hint" not in url
    assert browser.cookie is None


def test_while_the_store_is_away_the_way_out_can_be_tried_again(site, monkeypatch):
    browser = Browser(site)
    browser.sign_in()
    ours = browser.get("/auth/logout?return_to=/bye", method="POST").json["logout_url"]
    state = dict(parse_qsl(urlsplit(browser.go(ours).headers["Location"]).query))["state"]

    def away(*_):
        raise StoreAway("no reply")

    monkeypatch.setattr("bff.store.sqlite.SqliteStore.get", away)
    assert browser.go(ours).status_code == 503
    assert browser.go(f"/auth/logged-out?state={state}").headers["Location"] == "/"
    monkeypatch.undo()
    assert browser.go(ours).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {},
    ],
)
def test_a_form_of_somebody_elses_signs_nobody_out(site, headers):
    browser = Browser(site)
    browser.sign_in()
    reply = browser.client.post("/auth/logout", base_url=HOST, headers=headers, data={"a": "b"})
    assert reply.status_code == 403
    assert browser.get("/web/me").status_code == 200


def test_signing_out_without_a_session_is_no_error(site):
    reply = Browser(site).get("/auth/logout", method="POST")
    assert (reply.status_code, reply.json) == (200, {"logout_url": None})
