"""Signing in and out against a provider over real sockets; the browser is Flask's test client."""

from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.provider.app import LocalProvider
from bff.dev.provider.values import RegisteredClient
from bff.dev.recordings.message import StubReply
from bff.dev.stubs.stub import StubServices
from bff.observe.events import Audited
from bff.upstream.pool import PoolExchange

HOST = "https://shop.example"
COOKIE = "__Host-Http-bff"
ROOT = """
version: 1
hosts: [shop.example, localhost]
frontends:
  web: {access: session, origins: ["https://spa.example"]}
  mobile: {access: [bearer, session]}
session: {secrets: ["0123456789012345678901234567890123456789"], return_to: ["https://spa.example"]}
limits: {sign_in: 100/minute}
"""
ME = """
get: /me
call: {get: "users:/me"}
"""
WHO = """
get: /who
access: optional
call: {get: "users:/me", query: {who: "{session.sub?}", visitor: "{session.visitor?}"}}
"""


def echo(request):
    """What a service was sent: with whose token, and which query."""
    headers = {name.lower(): value for name, value in request.headers}
    return StubReply.json(
        {
            "token": headers.get("authorization", ""),
            "cookie": headers.get("cookie"),
            "query": dict(parse_qsl(urlsplit(request.target).query)),
        }
    )


class Wall:
    def __init__(self):
        self.at = 1_800_000_000.0

    def __call__(self):
        return self.at


@pytest.fixture
def site(tmp_path):
    """An app and its provider; `always` ada, who is never asked."""
    with ExitStack() as stack:
        wall = Wall()
        heard = []
        client = RegisteredClient(
            "shop",
            "shop-secret",
            (f"{HOST}/auth/callback", "http://localhost/auth/callback"),
            (f"{HOST}/auth/logged-out",),
        )
        idp = stack.enter_context(LocalProvider([client], always="ada", now=wall))
        stubs = stack.enter_context(StubServices({"users": echo}, keep=True))
        text = ROOT + f"providers:\n  shop: {{issuer: '{idp.issuer}', client_id: shop,"
        text += " client_secret: shop-secret, scopes: [openid, offline_access], claims: [name]}\n"
        text += f"services: {{users: {{url: '{stubs.urls['users']}', credentials: session}}}}\n"
        views = {"me": parse(ME, "me.yaml", {}), "who": parse(WHO, "who.yaml", {})}
        config = assemble(parse(text, "bff.yaml", {}), views, {})
        exchange = PoolExchange(config.services, 8)
        stack.callback(exchange.close)

        def started(**session):
            rules = replace(config.session, **session)
            return create_app(
                check_config(replace(config, session=rules)),
                Settings(tmp_path, management_bind=None, state=tmp_path),
                exchange=exchange,
                now=wall,
                observers=[lambda each: isinstance(each, Audited) and heard.append(each)],
                development=True,
            )

        def restarted(secrets):
            return SimpleNamespace(app=started(secrets=tuple(secrets)))

        yield SimpleNamespace(
            app=started(), idp=idp, wall=wall, heard=heard, stubs=stubs, restarted=restarted
        )


def led_to(reply):
    """Where a page of ours has the browser go on to after a sign-in."""
    assert (reply.status_code, reply.mimetype) == (200, "text/html"), reply.text
    after, _, location = reply.headers["Refresh"].partition("; url=")
    assert after == "0"
    return location


class Browser:
    """One browser: it keeps cookies, and goes where it is sent."""

    def __init__(self, site, base=HOST):
        self.site, self.base = site, base
        self.client = site.app.test_client()
        self.at_provider_jar = httpx.Cookies()

    def get(self, path, method="GET", headers=(), **more):
        sent = {"X-CSRF": "1", **dict(headers)}
        return self.client.open(path, method=method, base_url=self.base, headers=sent, **more)

    def go(self, path, **headers):
        """A navigation."""
        sent = {
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Sec-Fetch-Site": "none",
            "Accept": "text/html",
            **headers,
        }
        return self.client.get(path, base_url=self.base, headers=sent)

    def at_provider(self, reply):
        """Follow to the provider, which sends back at once; where it sends to."""
        assert reply.status_code == 303, reply.text
        jar = self.at_provider_jar
        back = httpx.get(reply.headers["Location"], follow_redirects=False, cookies=jar)
        jar.update(back.cookies)
        assert back.status_code in (302, 303), back.text
        parts = urlsplit(back.headers["Location"])
        return f"{parts.path}?{parts.query}"

    def sign_in(self, path="/auth/login"):
        return self.go(self.at_provider(self.go(path)))

    @property
    def cookie(self):
        return self.client.get_cookie(COOKIE, domain="shop.example")


def test_a_person_signs_in_and_the_view_is_called_with_their_token(site):
    browser = Browser(site)
    done = browser.sign_in("/auth/login?return_to=/orders%3Fpage=2")
    assert led_to(done) == "/orders?page=2"
    me = browser.get("/web/me").json
    assert me["token"].startswith("Bearer ")
    assert me["cookie"] is None


def test_the_cookie_is_the_one_the_standards_ask_for(site):
    browser = Browser(site)
    done = browser.sign_in()
    (made,) = [each for each in done.headers.getlist("Set-Cookie") if each.startswith(COOKIE + "=")]
    attributes = {each.strip().lower() for each in made.split(";")[1:]}
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= attributes
    assert not any(each.startswith("domain") for each in attributes)
    assert len(browser.cookie.value) == 43
    assert done.headers["Cache-Control"] == "no-store"


def test_no_token_reaches_the_browser(site):
    browser = Browser(site)
    first = browser.go("/auth/login")
    back = browser.at_provider(first)
    done = browser.go(back)
    token = browser.get("/web/me").json["token"].removeprefix("Bearer ")
    session = browser.get("/auth/session")
    for reply in (first, done, session):
        assert token not in reply.text + str(reply.headers)


def test_the_session_says_who_is_signed_in_and_for_how_long(site):
    browser = Browser(site)
    assert browser.get("/auth/session").json == {"authenticated": False}
    browser.sign_in()
    session = browser.get("/auth/session")
    assert session.json == {
        "authenticated": True,
        "sub": "ada",
        "claims": {"name": "Ada Lovelace"},
        "provider": "shop",
        "expires_in": 1800,
    }
    assert session.headers["Cache-Control"] == "no-store"
    assert "Cookie" in session.headers["Vary"]


def test_asking_for_the_session_slides_it_unless_told_not_to(site):
    browser = Browser(site)
    browser.sign_in()
    site.wall.at += 1000
    assert browser.get("/auth/session?slide=false").json["expires_in"] == 800
    assert browser.get("/auth/session?slide=false").json["expires_in"] == 800
    assert browser.get("/auth/session").json["expires_in"] == 1800


def test_an_idle_session_is_over(site):
    browser = Browser(site)
    browser.sign_in()
    site.wall.at += 1801
    assert browser.get("/web/me").status_code == 401
    assert browser.get("/auth/session").json == {"authenticated": False}


def test_a_script_gets_401_and_a_person_is_sent_to_sign_in_and_back(site):
    browser = Browser(site)
    reply = browser.get("/web/me?x=1")
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Session ")
    assert "Location" not in reply.headers
    reply = browser.go("/web/who")
    assert reply.status_code == 200
    reply = browser.go("/web/me?x=1&y=a%20b")
    assert reply.status_code == 302
    assert reply.headers["Location"] == "/auth/login?return_to=%2Fweb%2Fme%3Fx%3D1%26y%3Da%2520b"
    done = browser.sign_in(reply.headers["Location"])
    assert led_to(done) == "/web/me?x=1&y=a%20b"


def test_a_planted_id_never_becomes_a_session(site):
    browser = Browser(site)
    browser.client.set_cookie(COOKIE, "planted" * 6, domain="shop.example", secure=True)
    browser.sign_in()
    assert browser.cookie.value != "planted" * 6
    victim = Browser(site)
    victim.client.set_cookie(COOKIE, "planted" * 6, domain="shop.example", secure=True)
    assert victim.get("/web/me").status_code == 401


def test_signing_in_again_replaces_the_session(site):
    browser = Browser(site)
    browser.sign_in()
    first = browser.cookie.value
    browser.sign_in()
    assert browser.cookie.value != first
    old = Browser(site)
    old.client.set_cookie(COOKIE, first, domain="shop.example", secure=True)
    assert old.get("/web/me").status_code == 401
    assert len(browser.get("/auth/sessions").json["sessions"]) == 1


def test_a_session_whose_cookie_did_not_come_along_is_replaced_too(site):
    """SameSite=Strict: the browser sends none when the provider sends it back."""
    browser = Browser(site)
    browser.sign_in()
    back = browser.at_provider(browser.go("/auth/login"))
    old = browser.cookie.value
    browser.client.delete_cookie(COOKIE, domain="shop.example")
    browser.go(back)
    stale = Browser(site)
    stale.client.set_cookie(COOKIE, old, domain="shop.example", secure=True)
    assert stale.get("/web/me").status_code == 401


def test_the_state_of_another_browser_signs_nobody_in(site):
    attacker, victim = Browser(site), Browser(site)
    back = attacker.at_provider(attacker.go("/auth/login"))
    refused = victim.go(back)
    assert refused.status_code == 400
    assert victim.cookie is None
    victim.go("/auth/login")
    assert victim.go(back).status_code == 400


def test_two_tabs_sign_in_at_once(site):
    browser = Browser(site)
    first = browser.at_provider(browser.go("/auth/login?return_to=/first"))
    second = browser.at_provider(browser.go("/auth/login?return_to=/second"))
    assert led_to(browser.go(second)) == "/second"
    assert led_to(browser.go(first)) == "/first"
    assert browser.get("/web/me").status_code == 200


def test_a_sign_in_that_takes_too_long_is_begun_anew(site):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login"))
    site.wall.at += 601
    refused = browser.go(back)
    assert refused.status_code == 400
    assert "This sign-in has expired" in refused.text


def test_a_provider_that_refuses_ends_in_a_page_of_our_words(site):
    browser = Browser(site)
    state = dict(parse_qsl(urlsplit(browser.go("/auth/login").headers["Location"]).query))["state"]
    evil = "<script>alert(1)</script>"
    reply = browser.client.get(
        "/auth/callback",
        base_url=HOST,
        query_string={
            "error": "access_denied",
            "error_description": evil,
            "state": state,
            "iss": site.idp.issuer,
        },
        headers={"Accept": "text/html"},
    )
    assert reply.status_code == 400
    assert reply.mimetype == "text/html"
    assert "cancelled" in reply.text
    assert "script" not in reply.text
    assert reply.headers["X-Request-Id"] in reply.text


def test_an_error_with_a_state_that_is_nobodys_says_nothing_of_the_error(site):
    reply = Browser(site).get("/auth/callback?error=access_denied&state=made-up")
    assert reply.status_code == 400
    assert reply.mimetype == "application/problem+json"
    assert "cancelled" not in reply.text


@pytest.mark.parametrize("query", ["", "state=", "code=x", "state=%00&code=x", "state=é&iss=x"])
def test_a_callback_without_what_it_needs_is_400(site, query):
    reply = Browser(site).get(f"/auth/callback?{query}")
    assert reply.status_code == 400
    assert reply.json["id"]


@pytest.mark.parametrize("name", ["iss", "code", "state"])
def test_a_callback_that_was_tampered_with_signs_nobody_in(site, name):
    browser = Browser(site)
    back = urlsplit(browser.at_provider(browser.go("/auth/login")))
    query = {**dict(parse_qsl(back.query)), name: "https://evil.example"}
    reply = browser.client.get(back.path, base_url=HOST, query_string=query)
    assert reply.status_code in (400, 503)
    assert browser.cookie is None


@pytest.mark.parametrize(
    "where", ["//evil.example", "https://evil.example/", "/\\evil", "/auth/login"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(site, where):
    reply = Browser(site).client.get(
        "/auth/login", base_url=HOST, query_string={"return_to": where}
    )
    assert reply.status_code == 400


def test_a_declared_origin_may_be_come_back_to(site):
    done = Browser(site).sign_in("/auth/login?return_to=https://spa.example/home")
    assert led_to(done) == "https://spa.example/home"


def test_the_browser_cannot_choose_what_is_ours_to_say(site):
    reply = Browser(site).go(
        "/auth/login?scope=admin&redirect_uri=https://evil.example&state=mine&nonce=mine"
        "&client_id=other&response_type=token&max_age=60&prompt=login&acr_values=gold"
    )
    sent = dict(parse_qsl(urlsplit(reply.headers["Location"]).query))
    assert sent["scope"] == "openid offline_access"
    assert sent["redirect_uri"] == f"{HOST}/auth/callback"
    assert sent["client_id"] == "shop"
    assert sent["response_type"] == "code"
    assert "mine" not in (sent["state"], sent["nonce"])
    assert (sent["max_age"], sent["prompt"], sent["acr_values"]) == ("60", "login", "gold")
    assert sent["code_challenge_method"] == "S256"


@pytest.mark.parametrize("query", ["max_age=-1", "max_age=x", "prompt=evil", "acr_values=%0a"])
def test_a_step_up_that_is_none_is_400(site, query):
    assert Browser(site).get(f"/auth/login?{query}").status_code == 400


def test_an_unknown_provider_is_400_and_a_known_one_is_asked_by_name(site):
    assert Browser(site).get("/auth/login/other").status_code == 400
    assert Browser(site).get("/auth/login/shop").status_code == 303


def test_a_session_without_the_header_is_refused_and_no_service_is_asked(site):
    browser = Browser(site)
    browser.sign_in()
    before = len(site.stubs.requests("users"))
    reply = browser.client.get("/web/me", base_url=HOST)
    assert reply.status_code == 403
    assert reply.mimetype == "application/problem+json"
    assert "X-CSRF" in reply.json["detail"]
    assert len(site.stubs.requests("users")) == before


def test_a_person_sees_their_devices_and_signs_one_out_elsewhere(site):
    phone, laptop = Browser(site), Browser(site)
    phone.client.environ_base["HTTP_USER_AGENT"] = "Phone/1"
    phone.sign_in()
    site.wall.at += 60
    laptop.client.environ_base["HTTP_USER_AGENT"] = "Laptop/2"
    laptop.sign_in()
    found = laptop.get("/auth/sessions").json["sessions"]
    assert [(each["agent"], each["current"]) for each in found] == [
        ("Laptop/2", True),
        ("Phone/1", False),
    ]
    assert not any(phone.cookie.value in str(each) for each in found)
    assert laptop.get(f"/auth/sessions/{found[1]['id']}", method="DELETE").status_code == 204
    assert phone.get("/web/me").status_code == 401
    assert laptop.get("/web/me").status_code == 200


def test_a_person_signs_out_everywhere_else_and_then_everywhere(site):
    browsers = [Browser(site) for _ in range(3)]
    for each in browsers:
        each.sign_in()
    assert browsers[0].get("/auth/sessions?keep=current", method="DELETE").status_code == 204
    assert [each.get("/web/me").status_code for each in browsers] == [200, 401, 401]
    assert browsers[0].get("/auth/sessions", method="DELETE").status_code == 204
    assert browsers[0].cookie is None
    assert browsers[0].get("/auth/sessions").status_code == 401


def test_nobody_ends_the_session_of_somebody_else(site):
    ada = Browser(site)
    ada.sign_in()
    assert ada.get("/auth/sessions/0123456789abcdef", method="DELETE").status_code == 404
    stranger = Browser(site)
    own = ada.get("/auth/sessions").json["sessions"][0]["id"]
    assert stranger.get(f"/auth/sessions/{own}", method="DELETE").status_code == 401
    assert ada.get("/web/me").status_code == 200


def test_over_plain_http_nobody_signs_in_but_on_this_machine(site):
    network = Browser(site, "http://shop.example")
    assert network.get("/auth/login").status_code == 400
    here = Browser(site, "http://localhost")
    done = here.sign_in()
    (made,) = [each for each in done.headers.getlist("Set-Cookie") if each.startswith("dev-bff=")]
    assert "Secure" not in made
    assert here.get("/web/me").status_code == 200


def test_a_development_cookie_counts_nowhere_else(site):
    here = Browser(site, "http://localhost")
    here.sign_in()
    given = here.client.get_cookie("dev-bff", domain="localhost").value
    other = Browser(site)
    other.client.set_cookie("dev-bff", given, domain="shop.example")
    assert other.get("/web/me").status_code == 401


def test_a_session_and_a_bearer_token_at_once_are_400(site):
    browser = Browser(site)
    browser.sign_in()
    reply = browser.get("/mobile/me", headers={"Authorization": "Bearer x.y.z"})
    assert reply.status_code == 400


def test_a_bearer_where_none_is_taken_is_401_and_says_so(site):
    reply = Browser(site).get("/web/who", headers={"Authorization": "Bearer x.y.z"})
    assert reply.status_code == 401
    assert 'error="invalid_token"' in reply.headers["WWW-Authenticate"]


def test_a_visitor_has_an_id_that_survives_the_sign_in(site):
    browser = Browser(site)
    first = browser.get("/web/who")
    visitor = first.json["query"]["visitor"]
    assert first.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" in first.headers
    again = browser.get("/web/who")
    assert again.json["query"] == {"visitor": visitor}
    assert "Set-Cookie" not in again.headers
    browser.sign_in()
    assert browser.get("/web/who").json["query"] == {"visitor": visitor, "who": "ada"}


def test_answers_vary_by_how_people_sign_in(site):
    assert "Cookie" in Browser(site).get("/web/me").headers["Vary"]
    varied = Browser(site).get("/mobile/me").headers["Vary"]
    assert {"Cookie", "Authorization"} <= {each.strip() for each in varied.split(",")}


def test_sign_ins_from_one_address_are_limited(site):
    client = Browser(site)
    replies = [
        client.get("/auth/login", environ_base={"REMOTE_ADDR": "9.9.9.9"}) for _ in range(101)
    ]
    assert replies[99].status_code == 303
    assert replies[100].status_code == 429
    assert int(replies[100].headers["Retry-After"]) >= 1


def test_an_access_token_that_ends_is_refreshed_on_the_way(site):
    browser = Browser(site)
    browser.sign_in()
    first = browser.get("/web/me").json["token"]
    site.wall.at += 290
    second = browser.get("/web/me").json["token"]
    assert second != first
    assert browser.get("/web/me").json["token"] == second
    assert [each.what for each in site.heard] == ["signed_in", "refreshed"]


def test_a_second_provider_sends_people_back_to_a_path_of_its_own(site):
    browser = Browser(site)
    begun = browser.go("/auth/login")
    back = browser.at_provider(begun)
    elsewhere = back.replace("/auth/callback?", "/auth/callback/other?")
    assert browser.go(elsewhere).status_code == 400
    assert browser.cookie is None
    assert browser.go(back).status_code == 200


def logout_token(site, **claims):
    """What the provider sends to the back channel when somebody signs out there."""
    now = int(site.wall.at)
    events = {"http://schemas.openid.net/event/backchannel-logout": {}}
    content = {"aud": "shop", "sub": "ada", "iat": now, "exp": now + 120, "events": events}
    signer = site.idp.tokens._signer
    return signer._sign("logout+jwt", {**content, **claims}, 120)


def told(site, token):
    return site.app.test_client().post(
        "/auth/backchannel-logout", base_url=HOST, data={"logout_token": token}
    )


def test_the_provider_signs_a_person_out_everywhere(site):
    browsers = [Browser(site), Browser(site)]
    for each in browsers:
        each.sign_in()
    reply = told(site, logout_token(site))
    assert (reply.status_code, reply.headers["Cache-Control"]) == (200, "no-store")
    assert [each.get("/web/me").status_code for each in browsers] == [401, 401]
    ended = [each for each in site.heard if each.what == "ended"]
    assert [(each.subject, each.reason) for each in ended] == [("ada", "backchannel")] * 2


def test_a_logout_token_counts_once(site):
    token = logout_token(site)
    assert told(site, token).status_code == 200
    browser = Browser(site)
    browser.sign_in()
    reply = told(site, token)
    assert (reply.status_code, reply.headers["Cache-Control"]) == (400, "no-store")
    assert browser.get("/web/me").status_code == 200
    assert told(site, logout_token(site)).status_code == 200
    assert browser.get("/web/me").status_code == 401


@pytest.mark.parametrize(
    "claims",
    [{"aud": "other"}, {"events": {}}, {"nonce": "n"}, {"sub": "grace"}],
)
def test_a_logout_token_that_is_not_for_this_person_ends_nothing(site, claims):
    browser = Browser(site)
    browser.sign_in()
    reply = told(site, logout_token(site, **claims))
    assert reply.status_code == (200 if claims.get("sub") else 400)
    assert browser.get("/web/me").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "x" * 20_000])
def test_what_is_no_logout_token_is_400(site, token):
    assert told(site, token).status_code in (400, 413)


def test_sessions_outlive_a_secret_that_is_replaced(site):
    """By the app as a whole: the new secret seals, the old one opens."""
    browser = Browser(site)
    browser.sign_in()
    given = browser.cookie.value
    later = site.restarted(secrets=["n" * 40, "0123456789012345678901234567890123456789"])
    other = Browser(later)
    other.client.set_cookie(COOKIE, given, domain="shop.example", secure=True)
    assert other.get("/web/me").status_code == 200
    gone = Browser(site.restarted(secrets=["n" * 40]))
    gone.client.set_cookie(COOKIE, given, domain="shop.example", secure=True)
    assert gone.get("/web/me").status_code == 401
