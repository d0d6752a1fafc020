"""While the store is away, or the provider hangs: nobody loses a session, nobody waits for long."""

import time
from contextlib import ExitStack, contextmanager
from itertools import repeat
from threading import Event
from types import SimpleNamespace

import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply, StubServices
from bff.upstream.pool import PoolExchange
from tests.auth.scripted_provider import ABSENT
from tests.e2e.providers.rotating import LASTS, RotatingProvider, listening
from tests.store.redis_server import RedisServer
from tests.web.access.test_sign_in import HOST, Browser

PROVIDER_TIMEOUT = 0.5
SLACK = 1.5  # seconds, on a machine that others use too
STORE = 1.0  # seconds that a Redis that hangs may cost: to connect, and to answer
ROOT = """
version: 1
hosts: [shop.example]
frontends: {{web: {{access: session}}}}
session: {{secrets: ["0123456789012345678901234567890123456789"], store: "{store}"}}
limits: {{sign_in: 100/minute}}
providers:
  main:
    issuer: "{issuer}"
    client_id: the-client
    client_secret: the-secret
    timeout: {patience}s
services:
  users: {{url: "{users}", timeout: 10s, credentials: session}}
  news: {{url: "{users}"}}
"""
VIEWS = {
    "me": "{get: /me, timeout: 10s, call: {get: 'users:/me'}}",
    "hurried": "{get: /hurried, timeout: 200ms, call: {get: 'users:/me'}}",
    "who": "{get: /who, access: optional, call: {get: 'news:/', query: {who: '{session.sub?}'}}}",
    "news": "{get: /news, access: public, call: {get: 'news:/'}}",
}


class Users:
    """A service that tells the token it was called with; `first` may have another reply."""

    def __init__(self):
        self.first = lambda: None

    def __call__(self, request):
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        return self.first() or StubReply.json({"token": token, "query": request.query})


@contextmanager
def made(folder, store, patience=PROVIDER_TIMEOUT):
    """An app with a provider and a service, whose sessions are in a store.

    Args:
        patience: seconds for which the provider is waited for.
    """
    with ExitStack() as stack:
        users = Users()
        provider = stack.enter_context(listening(RotatingProvider(first=LASTS)))
        stubs = stack.enter_context(StubServices({"users": users}, keep=True))
        given = {"store": store, "patience": patience, "users": stubs.urls["users"]}
        text = ROOT.format(issuer=provider.issuer, **given)
        views = {name: parse(view, f"{name}.yaml", {}) for name, view in VIEWS.items()}
        config = assemble(parse(text, "bff.yaml", {}), views, {})
        exchange = PoolExchange(config.services, 8)
        stack.callback(exchange.close)
        app = create_app(
            check_config(config),
            Settings(folder, management_bind=None, state=folder),
            exchange=exchange,
            observers=(),
        )
        yield SimpleNamespace(app=app, provider=provider, users=users, stubs=stubs)


@pytest.fixture
def redis(tmp_path):
    """One that has its entries still when it is started again."""
    server = RedisServer(tmp_path, "appendonly yes", "appendfsync always")
    yield server
    server.stop()


@pytest.fixture
def site(tmp_path, redis):
    with made(tmp_path, redis.url) as site:
        yield site


@pytest.fixture(params=["hangs", "is stopped"])
def outage(request, redis):
    """Have Redis go away, and come back with what it had."""
    hangs = request.param == "hangs"
    return SimpleNamespace(
        begins=redis.freeze if hangs else redis.stop, ends=redis.thaw if hangs else redis.start
    )


@contextmanager
def taking(most):
    """It takes so many seconds at most, and what a slow machine adds."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < most + SLACK


def assert_away(reply, kind="application/problem+json"):
    assert reply.status_code == 503, reply.text
    assert reply.mimetype == kind
    assert int(reply.headers["Retry-After"]) >= 1
    assert "Set-Cookie" not in reply.headers
    assert reply.headers["X-Request-Id"] in reply.text


def test_whoever_is_signed_in_is_not_anonymous_while_the_store_is_away(site, outage):
    ada = Browser(site)
    ada.sign_in()
    before = ada.get("/web/me").json
    site.stubs.forget()
    outage.begins()
    for path in ("/web/me", "/web/who", "/auth/session", "/auth/sessions"):
        with taking(STORE):
            assert_away(ada.get(path))
    assert not site.stubs.requests()
    outage.ends()
    assert ada.get("/web/me").json == before
    assert ada.get("/auth/session").json["sub"] == "ada"
    assert site.provider.refreshes == []


def test_who_cannot_be_signed_out_just_now_is_told_so(site, outage):
    ada = Browser(site)
    ada.sign_in()
    outage.begins()
    for path, method in (("/auth/logout", "POST"), ("/auth/sessions", "DELETE")):
        with taking(STORE):
            assert_away(ada.get(path, method=method))
    outage.ends()
    assert ada.get("/web/me").status_code == 200
    assert ada.get("/auth/logout", method="POST").status_code == 200
    assert ada.get("/web/me").status_code == 401


def test_whoever_has_no_session_is_answered_without_the_store(site, outage):
    nobody, ada = Browser(site), Browser(site)
    ada.sign_in()
    outage.begins()
    assert nobody.get("/web/me").status_code == 401
    assert nobody.get("/web/who").json == {"token": "", "query": ""}
    assert nobody.get("/auth/session").json == {"authenticated": False}
    assert ada.get("/web/news").status_code == 200  # public: nobody asks who she is


def test_a_sign_in_that_comes_back_while_the_store_is_away_goes_on_by_a_reload(site, outage):
    ada = Browser(site)
    back = ada.at_provider(ada.go("/auth/login?return_to=/web/news"))
    outage.begins()
    with taking(2 * STORE):
        assert_away(ada.go("/auth/login?return_to=/web/news"), "text/html")
    with taking(2 * STORE):
        assert_away(ada.go(back), "text/html")
    assert ada.cookie is None
    outage.ends()
    assert ada.go(back).status_code < 400
    assert ada.get("/auth/session").json["sub"] == "ada"


def test_a_logout_by_the_provider_that_could_not_be_done_can_be_sent_again(site, outage):
    ada = Browser(site)
    ada.sign_in()
    form = {"logout_token": site.provider.logout_token(sid=ABSENT)}
    path = "/auth/backchannel-logout"
    outage.begins()
    with taking(2 * STORE):
        assert_away(ada.client.post(path, base_url=HOST, data=form))
    outage.ends()
    assert ada.get("/web/me").status_code == 200
    assert ada.client.post(path, base_url=HOST, data=form).status_code == 200
    assert ada.get("/web/me").status_code == 401


def test_a_store_that_goes_away_within_a_view_is_no_fault_of_the_service(site, redis):
    ada = Browser(site)
    ada.sign_in()
    before = ada.get("/web/me").json
    site.users.first = lambda: (redis.freeze(), StubReply.problem(401, "Not any more"))[1]
    with taking(2 * STORE):
        assert_away(ada.get("/web/me"))
    site.users.first = lambda: None
    redis.thaw()
    assert ada.get("/web/me").json == before


@contextmanager
def hanging(site):
    """Have the provider's token endpoint answer nothing."""
    done = Event()
    before = site.provider.replies["/token"]
    site.provider.replies["/token"] = lambda _: (done.wait(20), (503, {}))[1]
    try:
        yield
    finally:
        done.set()
        site.provider.replies["/token"] = before


@pytest.fixture
def plain(tmp_path):
    """With a store that is well."""
    with made(tmp_path, "") as site:
        yield site


def test_a_provider_that_hangs_holds_a_sign_in_no_longer_than_its_time_out(plain):
    ada = Browser(plain)
    back = ada.at_provider(ada.go("/auth/login"))
    with hanging(plain), taking(PROVIDER_TIMEOUT):
        assert_away(ada.go(back), "text/html")
    assert ada.cookie is None


def test_a_provider_that_hangs_holds_a_view_no_longer_than_its_time_out(plain):
    plain.provider.first = 0
    ada = Browser(plain)
    ada.sign_in()
    with hanging(plain), taking(PROVIDER_TIMEOUT):
        assert_away(ada.get("/web/me"))
    with taking(0.2):
        assert_away(ada.get("/web/me"))  # a failure is remembered for a moment
    replies = map(ada.get, repeat("/web/me"))
    with taking(1.0):
        reply = next(each for each in replies if each.status_code == 200)
    assert reply.json["token"].startswith("access:ada:")


def test_a_provider_that_hangs_holds_nobody_beyond_the_deadline_of_a_view(tmp_path):
    with made(tmp_path, "", patience=SLACK + 1) as site:
        site.provider.first = 0
        ada = Browser(site)
        ada.sign_in()
        with hanging(site), taking(0.2):
            assert ada.get("/web/hurried").status_code == 504
        assert ada.get("/auth/session").json["sub"] == "ada"
