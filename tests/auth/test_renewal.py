"""Renewing once over all processes, using what is good meanwhile, and not trying again at once."""

import threading
from collections import Counter
from time import monotonic
from types import SimpleNamespace

import pytest

from bff.auth.oidc.login import SignedIn, Tokens
from bff.auth.oidc.token_endpoint import GrantRefused
from bff.auth.renewal import RenewalCoordinator
from bff.auth.session.credentials_provider import CredentialsProvider
from bff.auth.session.refresh import Refresher
from bff.auth.session.service_tokens import ServiceTokens
from bff.auth.session.sessions import Sessions
from bff.engine.background import Background
from bff.errors import (
    GrantEnded,
    LoginRequired,
    NoCredentials,
    ProviderAway,
    ProviderMisconfigured,
)
from bff.model.access import SessionRules
from bff.model.principal import NOBODY, Principal
from bff.model.service import Grant, Service
from bff.model.source import Place
from bff.store.seal import Seal
from bff.upstream.effects import RemoteWork
from bff.upstream.exchange import Credentials

START = 1_000_000.0
HERE = Place("test")
PROCESSES = 3
KINDS = ("users", "orders", "stock")
ISSUER = "https://id.example"
PATIENCE = 20.0  # seconds of a busy machine


class Provider:
    """Counts what it is asked, holds its answers until it may speak, and fails as a test says."""

    def __init__(self, now):
        self.provider = SimpleNamespace(timeout=1.0, issuer=ISSUER)
        self.now, self.asked, self.speaks = now, Counter(), threading.Event()
        self.lasts, self.fails = 300, {}
        self.refuses = set()  # access tokens that it exchanges no more
        self.code = "invalid_request"  # which it answers then, and to those of a refresh
        self.code_of_fresh = self.code
        self.speaks.set()
        self._lock = threading.Lock()

    def prepare(self):
        """It always is."""

    def _given(self, kind, **more):
        with self._lock:
            self.asked[kind] += 1
            number = self.asked[kind]
        assert self.speaks.wait(PATIENCE)
        if kind in self.fails:
            raise self.fails[kind]
        return Tokens(f"{kind}-{number}", self.now() + self.lasts, **more)

    def refresh(self, _tokens, meanwhile=None):
        meanwhile()
        return self._given("refresh", refresh="another")

    def exchange(self, access, _audience, _scope, _meanwhile=None):
        tokens = self._given("exchange")
        if access in self.refuses:
            raise GrantRefused(
                f"{ISSUER}/token", self.code if access == "first" else self.code_of_fresh
            )
        return tokens

    def client_credentials(self, _audience, _scope, _meanwhile=None):
        return self._given("client")

    def revoke(self, _token):
        """What comes too late."""


def service(name, credentials):
    grant = Grant(audience=f"{name}-api")
    return Service(name, HERE, "http://x", 1.0, 1, credentials=credentials, grant=grant)


SERVICES = {
    "users": service("users", "session"),
    "orders": service("orders", "exchange"),
    "stock": service("stock", "client"),
}
ASKED = {"users": "refresh", "orders": "exchange", "stock": "client"}


class Process:
    """What one process has of its own, over the store of all."""

    def __init__(self, store, provider, now, background):
        seal, providers = Seal(["s" * 32]), {"shop": provider}
        self.sessions = Sessions(store, seal, SessionRules(), now)
        renewals = RenewalCoordinator(store, now, background.run)
        refresher = Refresher(self.sessions, providers, lambda _: None, renewals)
        made = ServiceTokens(providers, self.sessions, seal, refresher, renewals)
        self._keeper = CredentialsProvider(SERVICES, refresher, made)

    def have(self, name, principal, rejected=()):
        """The token for a call."""
        result = self._keeper.perform(Credentials(name, principal, rejected))
        headers = result.work() if isinstance(result, RemoteWork) else result
        return headers[0][1].removeprefix("Bearer ")


@pytest.fixture
def site(store_url, opened, until):
    """Three processes over one store, with one provider, on a clock that stands still."""
    wall = SimpleNamespace(at=START)

    def now():
        return wall.at

    provider = Provider(now)
    backgrounds = [Background() for _ in range(PROCESSES)]
    processes = [Process(opened(store_url, now), provider, now, each) for each in backgrounds]

    def sign_in(**tokens):
        given = Tokens(**{"access": "first", "expires": START + 300, "refresh": "r", **tokens})
        person = SignedIn(ISSUER, "ada", "", "", None, {}, given)
        sessions = processes[0].sessions
        return sessions.load(sessions.create(person, "shop", "client", {})).principal()

    yield SimpleNamespace(
        wall=wall, provider=provider, processes=processes, sign_in=sign_in, until=until
    )
    provider.speaks.set()
    for each in backgrounds:
        each.close()


def at_once(site, name, principal, count=64):
    """What so many requests get that come at once to all processes; errors among it."""
    gate, results = threading.Barrier(count), []

    def ask(number):
        gate.wait(PATIENCE)
        try:
            results.append(site.processes[number % PROCESSES].have(name, principal))
        except Exception as error:  # noqa: BLE001  (it is what the test looks at)
            results.append(error)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE)
    return results


def principal_of(site, name):
    return NOBODY if name == "stock" else site.sign_in()


# Once, over all processes


@pytest.mark.parametrize("name", KINDS)
def test_requests_at_once_in_all_processes_ask_the_provider_once(site, name):
    principal = principal_of(site, name)
    if name == "users":
        site.wall.at += 300
    results = at_once(site, name, principal)
    assert results == [f"{ASKED[name]}-1"] * 64
    assert site.provider.asked[ASKED[name]] == 1


def test_a_token_for_a_service_that_is_rejected_is_made_anew_once(site):
    ada = site.sign_in()
    for name, whose in (("orders", ada), ("stock", NOBODY)):
        first = site.processes[0].have(name, whose)
        site.wall.at += 100
        rejected = (("authorization", f"Bearer {first}"),)
        had = {each.have(name, whose, rejected) for each in site.processes}
        assert had == {f"{ASKED[name]}-2"}


# While the token is good


@pytest.mark.parametrize("name", KINDS)
def test_while_a_token_is_good_no_request_depends_on_a_provider_that_hangs(site, name):
    principal = principal_of(site, name)
    first = site.processes[0].have(name, principal)
    site.wall.at += 291  # nine seconds are left
    site.provider.speaks.clear()
    before = site.provider.asked[ASKED[name]]
    began = monotonic()
    assert at_once(site, name, principal, 12) == [first] * 12
    assert monotonic() - began < 5
    site.until(lambda: site.provider.asked[ASKED[name]] == before + 1)
    again = {each.have(name, principal) for each in site.processes for _ in range(5)}
    assert again == {first}
    assert site.provider.asked[ASKED[name]] == before + 1, "one asks, whatever the process"
    site.provider.speaks.set()
    site.until(lambda: site.processes[0].have(name, principal) != first)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("error", [ProviderAway("away"), ProviderMisconfigured("wrong")])
def test_a_failure_while_a_token_is_good_is_not_tried_again_at_once(site, name, error):
    principal = principal_of(site, name)
    first = site.processes[0].have(name, principal)
    site.wall.at += 291
    site.provider.fails[ASKED[name]] = error
    before = site.provider.asked[ASKED[name]]
    for _ in range(4):
        assert {each.have(name, principal) for each in site.processes} == {first}
    assert site.provider.asked[ASKED[name]] == before + 1
    site.wall.at += 5.1
    site.provider.fails.clear()
    site.until(lambda: site.processes[1].have(name, principal) != first)


def test_a_token_is_used_until_its_end_and_not_beyond(site):
    ada = site.sign_in()
    site.provider.fails["refresh"] = ProviderAway("away")
    site.wall.at += 299.9
    assert site.processes[0].have("users", ada) == "first"
    site.wall.at += 0.1
    with pytest.raises(ProviderAway):
        site.processes[0].have("users", ada)


def test_without_a_refresh_token_nothing_is_tried_ahead(site):
    ada = site.sign_in(refresh="")
    site.wall.at += 291
    assert site.processes[0].have("users", ada) == "first"
    assert site.provider.asked["refresh"] == 0


def test_a_provider_that_ends_the_grant_ahead_of_the_tokens_end_ends_the_session(site):
    ada = site.sign_in()
    site.provider.fails["refresh"] = GrantEnded("invalid_grant")
    site.wall.at += 291

    def is_over():
        try:
            site.processes[0].have("users", ada)
        except LoginRequired:
            return True
        return False

    site.until(is_over)


# When there is none


@pytest.mark.parametrize("name", KINDS)
def test_all_who_wait_for_one_try_share_its_failure(site, name):
    principal = principal_of(site, name)
    site.wall.at += 300 if name == "users" else 0
    site.provider.fails[ASKED[name]] = ProviderAway("the provider did not answer in time")
    results = at_once(site, name, principal)
    assert {type(each) for each in results} == {ProviderAway}
    assert site.provider.asked[ASKED[name]] == 1
    site.provider.fails.clear()
    site.wall.at += 1
    assert site.processes[2].have(name, principal) == f"{ASKED[name]}-2"


# An exchange that is refused


def test_a_refused_exchange_is_tried_once_more_with_a_fresh_token_however_new_the_old_one_is(site):
    """The provider's keys were rotated: it does not know its own tokens any more."""
    ada = site.sign_in()
    site.provider.refuses = {"first"}
    assert at_once(site, "orders", ada, 12) == ["exchange-2"] * 12
    assert site.provider.asked == {"exchange": 2, "refresh": 1}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("invalid_grant", 401),
        ("invalid_token", 401),
        ("interaction_required", 401),
        ("invalid_request", 502),  # it cannot mean a token that was issued a moment ago
        ("invalid_target", 502),
    ],
)
def test_an_exchange_that_is_refused_twice_is_not_tried_at_once(site, code, status):
    ada = site.sign_in()
    site.provider.refuses, site.provider.code_of_fresh = {"first", "refresh-1"}, code
    results = at_once(site, "orders", ada, 12)
    assert {each.status for each in results} == {status}
    assert site.provider.asked == {"exchange": 2, "refresh": 1}
    assert site.processes[0].have("users", ada) == "refresh-1", "other services take it"


def test_an_exchange_that_is_refused_as_the_providers_session_has_ended_ends_ours(site):
    ada = site.sign_in()
    site.provider.refuses = {"first"}
    site.provider.fails["refresh"] = GrantEnded("invalid_grant")
    results = at_once(site, "orders", ada, 12)
    assert {type(each) for each in results} == {LoginRequired}
    assert site.provider.asked == {"exchange": 1, "refresh": 1}
    assert site.processes[0].sessions.tokens(ada.session) is None


def test_an_exchange_that_is_refused_while_nothing_can_be_refreshed_is_for_later(site):
    ada = site.sign_in()
    site.provider.refuses = {"first"}
    site.provider.fails["refresh"] = ProviderAway("away")
    with pytest.raises(ProviderAway):
        site.processes[0].have("orders", ada)
    assert site.processes[0].sessions.tokens(ada.session)


@pytest.mark.parametrize("refresh", ["", "r"])
def test_without_a_better_token_a_refused_exchange_is_a_401(site, refresh):
    phone = Principal(ISSUER, "ada", token="first")
    whose = site.sign_in(refresh="") if not refresh else phone
    site.provider.refuses = {"first"}
    with pytest.raises(NoCredentials) as error:
        site.processes[0].have("orders", whose)
    assert error.value.status == 401
    assert f"{ISSUER}/token refused the grant: invalid_request" in error.value.detail
    assert site.provider.asked["refresh"] == 0
