"""What somebody who means ill, or bad luck, can do to people who sign in: nothing."""

import threading
from collections import Counter
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from bff.app import create_app
from bff.auth.session.sessions import Sessions
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.provider.app import LocalProvider
from bff.dev.provider.values import RegisteredClient
from bff.dev.recordings.message import StubReply
from bff.dev.stubs.stub import StubServices
from bff.errors import ConfigError, StoreAway
from bff.model.principal import Principal
from bff.observe.events import Audited
from bff.upstream.pool import PoolExchange
from tests.web.access.test_sign_in import COOKIE, HOST, ME, WHO, Browser, Wall, echo, led_to

ROOT = """
version: 1
hosts: [shop.example, localhost]
frontends:
  web: {access: session, origins: ["https://spa.example"]}
  mobile: {access: [bearer, session]}
session: {secrets: ["0123456789012345678901234567890123456789"]}
"""
ITEM = """
get: /items/{name}
call: {get: "users:/items/{params.name}"}
"""
ADMIN = """
get: /admin
require: {scope: admin}
call: {get: "users:/me"}
"""
ORDERS = """
get: /orders
call: {get: "orders:/orders", query: {visitor: "{session.visitor}"}}
"""
MOST_OF_A_HEADER = 8190  # bytes: nginx's `large_client_header_buffers`, gunicorn's own limit


@pytest.fixture
def make(tmp_path):
    """Make an app and its provider: `make(limits="{...}", pool=8, users=answerer)`."""
    with ExitStack() as stack:

        def site(limits="{sign_in: 100/minute}", pool=8, users=echo, more=""):
            wall, heard = Wall(), []
            client = RegisteredClient(
                "shop", "shop-secret", (f"{HOST}/auth/callback",), (f"{HOST}/auth/logged-out",)
            )
            idp = stack.enter_context(LocalProvider([client], always="ada", now=wall))
            stubs = stack.enter_context(StubServices({"users": users, "orders": echo}, keep=True))
            text = ROOT + f"limits: {limits}\n{more}"
            text += f"providers:\n  shop: {{issuer: '{idp.issuer}', client_id: shop,"
            text += (
                " client_secret: shop-secret, scopes: [openid, offline_access], claims: [name]}\n"
            )
            text += f"services:\n  users: {{url: '{stubs.urls['users']}', credentials: session}}\n"
            text += f"  orders: {{url: '{stubs.urls['orders']}',"
            text += " credentials: {exchange: {audience: orders}}}\n"
            views = {"me": ME, "who": WHO, "item": ITEM, "admin": ADMIN, "orders": ORDERS}
            config = assemble(
                parse(text, "bff.yaml", {}),
                {name: parse(view, f"{name}.yaml", {}) for name, view in views.items()},
                {},
            )
            exchange = PoolExchange(config.services, 8)
            stack.callback(exchange.close)
            app = create_app(
                check_config(config),
                Settings(tmp_path, management_bind=None, state=tmp_path, pool=pool),
                exchange=exchange,
                now=wall,
                observers=[lambda each: isinstance(each, Audited) and heard.append(each)],
                development=True,
            )
            return SimpleNamespace(app=app, idp=idp, wall=wall, heard=heard, stubs=stubs)

        yield site


# -- cross-site ------------------------------------------------------------------------------------


def test_a_form_of_another_site_takes_nobodys_cookie_away(make):
    """A strict cookie does not come along, and without one nothing is checked."""
    sent = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    reply = (
        make()
        .app.test_client()
        .post("/auth/logout", base_url=HOST, headers=sent, data={"return_to": "/"})
    )
    assert [each for each in reply.headers.getlist("Set-Cookie") if each.startswith(COOKIE)] == []


def test_sign_ins_that_were_never_finished_leave_room_in_the_header(make):
    """Another site can begin some by navigating a window: then nothing is answered any more."""
    browser = Browser(make())
    for _ in range(4):
        reply = browser.go(
            "/auth/login?return_to=/" + "a" * 2000, **{"Sec-Fetch-Site": "cross-site"}
        )
        assert reply.status_code == 303
    kept = "; ".join(f"{each.key}={each.value}" for each in browser.client._cookies.values())
    assert len(kept) < MOST_OF_A_HEADER


@pytest.mark.parametrize("name", ["a%20b", "caf%C3%A9", "a%3Fb", "a%2526b"])
def test_a_link_leads_through_sign_in_to_the_very_address_it_had(make, name):
    browser = Browser(make())
    reply = browser.go(f"/web/items/{name}?x=1")
    assert reply.status_code == 302
    begun = browser.go(reply.headers["Location"])
    assert begun.status_code == 303
    done = browser.go(browser.at_provider(begun))
    assert led_to(done) == f"/web/items/{name}?x=1"


# -- limits ----------------------------------------------------------------------------------------


def test_a_person_is_limited_whatever_the_browser_forgets(make):
    browser = Browser(make("{sign_in: 100/minute, person: 5/minute}"))
    browser.sign_in()
    given = browser.cookie.value
    statuses = Counter()
    for _ in range(20):
        fresh = Browser(browser.site)  # it sends the session's cookie and no visitor's
        fresh.client.set_cookie(COOKIE, given, domain="shop.example", secure=True)
        statuses[fresh.get("/web/who").status_code] += 1
    assert statuses == {200: 5, 429: 15}


def test_a_person_has_one_exchanged_token_whatever_the_browser_forgets(make):
    site = make()
    browser = Browser(site)
    browser.sign_in()
    given = browser.cookie.value
    for _ in range(10):
        fresh = Browser(site)
        fresh.client.set_cookie(COOKIE, given, domain="shop.example", secure=True)
        assert fresh.get("/web/orders").status_code == 200
    tokens = {dict(each.headers).get("authorization") for each in site.stubs.requests("orders")}
    assert len(tokens) == 1


def test_tokens_that_do_not_count_are_limited_too(make):
    more = "issuers: {shop: {issuer: 'https://id.example', audience: api}}\n"
    client = make("{person: 5/minute}", more=more).app.test_client()
    statuses = Counter(
        client.get(
            "/mobile/me", base_url=HOST, headers={"Authorization": "Bearer x.y.z"}
        ).status_code
        for _ in range(20)
    )
    assert statuses[429] == 15


# -- services that refuse --------------------------------------------------------------------------


def refuses(_request):
    return StubReply(status=401)


def test_a_service_that_always_says_401_does_not_have_tokens_refreshed_each_time(make):
    site = make(users=refuses)
    browser = Browser(site)
    browser.sign_in()
    for _ in range(10):
        browser.get("/web/me")
    assert sum(each.what == "refreshed" for each in site.heard) <= 1


# -- slow providers --------------------------------------------------------------------------------


def test_signing_out_everywhere_ends_every_session_before_the_provider_is_told(make, monkeypatch):
    site = make()
    browsers = [Browser(site) for _ in range(3)]
    for each in browsers:
        each.sign_in()
    alive = []

    def slow(_provider, _token):
        alive.append(
            [each.get("/auth/session?slide=false").json["authenticated"] for each in browsers]
        )

    monkeypatch.setattr("bff.auth.oidc.provider.OpenIdProvider.revoke", slow)
    assert browsers[0].get("/auth/sessions", method="DELETE").status_code == 204
    assert alive[0] == [False, False, False]


def test_people_whose_tokens_last_do_not_wait_for_those_whose_provider_hangs(make, monkeypatch):
    site = make(pool=2)
    stale, fresh = [Browser(site) for _ in range(2)], Browser(site)
    for each in stale:
        each.sign_in()
    site.wall.at += 290
    fresh.sign_in()
    hang, begun = threading.Event(), threading.Barrier(3)

    def hangs(*_given, **_options):
        begun.wait(5)
        hang.wait(20)
        raise AssertionError("nobody waits for this")

    monkeypatch.setattr("bff.auth.oidc.provider.OpenIdProvider.refresh", hangs)
    threads = [threading.Thread(target=each.get, args=["/web/me"]) for each in stale]
    for each in threads:
        each.start()
    begun.wait(5)
    try:
        assert fresh.get("/web/me").status_code == 200
    finally:
        hang.set()
        for each in threads:
            each.join()


# -- a store that is away --------------------------------------------------------------------------


def test_a_store_that_goes_away_before_the_tokens_are_read_is_503(make, monkeypatch):
    browser = Browser(make())
    browser.sign_in()

    def gone(*_):
        raise StoreAway("gone")

    monkeypatch.setattr(Sessions, "tokens", gone)
    reply = browser.get("/web/me")
    assert reply.status_code == 503
    assert reply.headers["Retry-After"]


# -- what is recorded ------------------------------------------------------------------------------


def test_who_was_refused_is_recorded(make):
    site = make()
    browser = Browser(site)
    browser.sign_in()
    assert browser.get("/web/admin").status_code == 403
    refused = site.heard[-1]
    assert (refused.what, refused.reason) == ("refused", "Forbidden")
    assert refused.subject == "ada"
    assert refused.session


def test_a_session_that_another_takes_the_place_of_is_recorded_as_ended(make):
    site = make()
    browser = Browser(site)
    browser.sign_in()
    first = site.heard[-1].session
    browser.sign_in()
    assert [each.what for each in site.heard if each.session == first] != ["signed_in"]


# -- errors that nobody foresaw --------------------------------------------------------------------


@pytest.mark.parametrize("host", ["shop.example:99999999", "shop.example:0", "shop.example:"])
def test_a_host_with_an_odd_port_is_no_500(make, host):
    reply = make().app.test_client().get("/auth/login", headers={"Host": host})
    assert reply.status_code in (303, 400, 421)


def test_claims_that_are_nested_deeply_are_no_500(tmp_path):
    deep = []
    for _ in range(600):
        deep = [deep]
    claims = {"deep": deep}
    text = ROOT + "services: {users: {url: 'http://127.0.0.1:9'}}\n"
    config = assemble(parse(text, "bff.yaml", {}), {"me": parse(ME, "me.yaml", {})}, {})
    app = create_app(
        check_config(config),
        Settings(tmp_path, management_bind=None, state=tmp_path),
        authenticate=lambda *_: Principal("https://id.example", "ada", claims=claims),
    )
    assert app.test_client().get("/web/me", base_url=HOST).status_code in (401, 502)


# -- who asks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["Bearer", "Bearer ", "bearer\t"])
def test_a_bearer_token_that_is_empty_is_not_as_if_there_were_none(make, given):
    client = make().app.test_client()
    reply = client.get("/mobile/who", base_url=HOST, headers={"Authorization": given})
    assert reply.status_code in (400, 401)


def test_a_proxy_that_is_trusted_by_its_network_is_believed(make, monkeypatch):
    """gunicorn takes networks in FORWARDED_ALLOW_IPS, and believes their X-Forwarded-Proto."""
    monkeypatch.setattr("bff.web.access.address._TRUSTED", frozenset({"10.0.0.0/8"}))
    client = make("{sign_in: 5/minute}").app.test_client()
    statuses = Counter(
        client.get(
            "/auth/login",
            base_url=HOST,
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
            environ_base={"REMOTE_ADDR": "10.1.2.3"},
        ).status_code
        for number in range(10)
    )
    assert statuses == {303: 10}


# -- what may be declared --------------------------------------------------------------------------


def declared(view, frontend="{access: session}", service=""):
    text = f"version: 1\nhosts: [shop.example]\nfrontends: {{web: {frontend}}}\n"
    text += f"services: {{users: {{url: 'http://users'{service}}}}}\n"
    return check_config(
        assemble(parse(text, "bff.yaml", {}), {"me": parse(view, "me.yaml", {})}, {})
    )


@pytest.mark.parametrize("header", ["cookie", "authorization"])
def test_credentials_of_ours_are_not_forwarded(header):
    with pytest.raises(ConfigError):
        declared(ME, service=f", forward: [{header}]")


@pytest.mark.parametrize(
    ("more", "frontend"), [("access: public\n", "{access: session}"), ("", "{access: none}")]
)
def test_a_requirement_that_is_never_asked_for_is_an_error(more, frontend):
    with pytest.raises(ConfigError):
        declared(ME + more + "require: {scope: admin}\n", frontend)
