import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from bff.auth.oidc.login import SignedIn, Tokens
from bff.auth.oidc.token_endpoint import GrantRefused
from bff.auth.renewal import RenewalCoordinator, good_until
from bff.auth.session.credentials_provider import CredentialsProvider
from bff.auth.session.refresh import Refresher
from bff.auth.session.service_tokens import ServiceTokens
from bff.auth.session.sessions import Sessions
from bff.errors import GrantEnded, LoginRequired, NoCredentials, ProviderAway, StoreAway
from bff.model.access import SessionRules
from bff.model.principal import NOBODY, Principal
from bff.model.service import Grant, Service
from bff.model.source import Place
from bff.observe.events import Refreshed
from bff.store.lock import Lock
from bff.store.seal import Seal
from bff.upstream.effects import RemoteWork
from bff.upstream.exchange import Credentials
from tests.auth.scripted_provider import at_once

START = 1_000_000.0
# where an entry has to expire: a Redis has a clock of its own
BY_ITS_CLOCK = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
HERE = Place("test")


class Provider:
    """Plays a provider that rotates refresh tokens, and counts what it is asked."""

    def __init__(self, wall):
        self.provider = SimpleNamespace(timeout=1.0, issuer="https://id.example")
        self.wall, self.refreshed, self.revoked, self.exchanged = wall, [], [], []
        self.own = 0
        self.result = None
        self.during = lambda: None

    def prepare(self):
        if isinstance(self.result, ProviderAway):
            raise self.result

    def refresh(self, tokens, meanwhile=None):
        self.refreshed.append(tokens.refresh)
        if meanwhile:
            meanwhile()
        self.during()
        if isinstance(self.result, Exception):
            raise self.result
        number = len(self.refreshed) + 1
        return Tokens(
            access=f"{tokens.access}+", expires=self.wall() + 300, refresh=f"refresh-{number}"
        )

    def revoke(self, token):
        self.revoked.append(token)

    def exchange(self, access, audience, scope, _meanwhile=None):
        self.exchanged.append((access, audience, scope))
        return Tokens(access=f"{access}-for-{audience}", expires=self.wall() + 300)

    def client_credentials(self, audience, scope, _meanwhile=None):
        self.own += 1
        return Tokens(access=f"own-{self.own}-{audience}-{scope}", expires=self.wall() + 300)


@pytest.fixture
def site(store_url, opened):
    """A store of each kind, a provider, people and services, on a clock that stands still."""
    wall = SimpleNamespace(at=START)

    def now():
        return wall.at

    store = opened(store_url, now)
    sessions = Sessions(store, Seal(["s" * 32]), SessionRules(), now)
    provider = Provider(now)
    heard = []
    renewals = RenewalCoordinator(store, now, at_once, pause=lambda _: None)
    refresher = Refresher(sessions, {"shop": provider}, heard.append, renewals)

    def service(name, credentials, **grant):
        made = Grant(**grant)
        return Service(name, HERE, "http://x", 1.0, 1, credentials=credentials, grant=made)

    services = {
        "users": service("users", "session"),
        "files": service("files", "relay"),
        "orders": service("orders", "exchange", audience="orders-api", scope="read"),
        "stock": service("stock", "client", scope="stock"),
    }
    seal = Seal(["s" * 32])
    made = ServiceTokens({"shop": provider}, sessions, seal, refresher, renewals)
    keeper = CredentialsProvider(services, refresher, made)

    def sign_in(subject="ada", sid="", **tokens):
        given = {"access": f"of-{subject}", "expires": START + 300, "refresh": "refresh-1"}
        issuer = "https://id.example"
        given["subject"] = subject
        person = SignedIn(issuer, subject, sid, "", None, {}, Tokens(**{**given, **tokens}))
        made = sessions.create(person, "shop", "client", {})
        return sessions.load(made).principal()

    def have(service, principal, rejected=()):
        """What an effect comes to, on one thread or another."""
        result = keeper.perform(Credentials(service, principal, rejected))
        return result.work() if isinstance(result, RemoteWork) else result

    return SimpleNamespace(
        wall=wall,
        sessions=sessions,
        provider=provider,
        heard=heard,
        renewals=renewals,
        keeper=keeper,
        sign_in=sign_in,
        have=have,
    )


def bearer(token):
    return (("authorization", f"Bearer {token}"),)


def test_a_token_is_used_until_a_little_before_its_end():
    assert good_until(1300.0, 1000.0) == 1270.0
    assert good_until(1010.0, 1000.0) == 1008.0


def test_a_fresh_token_is_given_without_asking_anybody(site):
    assert site.have("users", site.sign_in()) == bearer("of-ada")
    assert site.provider.refreshed == []


def test_a_token_is_refreshed_ahead_of_its_end_and_kept(site):
    ada = site.sign_in()
    site.wall.at += 275
    assert site.have("users", ada) == bearer("of-ada+")
    assert site.have("users", ada) == bearer("of-ada+")
    assert site.provider.refreshed == ["refresh-1"]
    refreshed, audited = site.heard
    assert (refreshed, audited.what) == (Refreshed("shop", "ok"), "refreshed")


def test_a_token_that_a_service_rejects_is_refreshed_though_it_is_fresh(site):
    ada = site.sign_in()
    site.wall.at += 60
    assert site.have("users", ada, bearer("of-ada")) == bearer("of-ada+")
    assert site.have("users", ada, bearer("of-ada")) == bearer("of-ada+")
    assert len(site.provider.refreshed) == 1


def test_a_token_that_has_just_come_is_not_replaced_whoever_rejects_it(site):
    ada = site.sign_in()
    for service in ("users", "orders"):
        headers = site.have(service, ada)
        assert site.have(service, ada, headers) == headers
    own = site.have("stock", NOBODY)
    assert site.have("stock", NOBODY, own) == own
    assert (site.provider.refreshed, len(site.provider.exchanged), site.provider.own) == ([], 1, 1)


def test_a_provider_that_is_away_keeps_the_session_and_a_token_that_still_lasts(site):
    ada = site.sign_in()
    site.provider.result = ProviderAway("no reply in time")
    site.wall.at += 280
    assert site.have("users", ada) == bearer("of-ada")
    site.wall.at += 20
    with pytest.raises(ProviderAway):
        site.have("users", ada)
    site.provider.result = None
    with pytest.raises(ProviderAway, match="a moment ago"):
        site.have("users", ada)
    site.wall.at += 1
    assert site.have("users", ada) == bearer("of-ada+")


def test_a_dead_refresh_token_ends_the_session(site):
    ada = site.sign_in()
    site.provider.result = GrantEnded("invalid_grant")
    site.wall.at += 300
    with pytest.raises(LoginRequired):
        site.have("users", ada)
    assert site.sessions.tokens(ada.session) is None
    assert site.sessions.of_person(ada.issuer, "ada") == []
    refreshed, audited = site.heard
    assert refreshed == Refreshed("shop", "ended", "invalid_grant")
    assert (audited.what, audited.reason) == ("ended", "invalid_grant")


def test_without_a_refresh_token_a_rejected_token_is_what_there_is_while_it_lasts(site):
    ada = site.sign_in(refresh="")
    site.wall.at += 100
    assert site.have("users", ada, bearer("of-ada")) == bearer("of-ada")
    assert site.sessions.tokens(ada.session)


def test_without_a_refresh_token_the_session_ends_with_the_access_token(site):
    ada = site.sign_in(refresh="")
    site.wall.at += 300
    with pytest.raises(LoginRequired):
        site.have("users", ada)
    assert site.provider.refreshed == []


def test_who_signs_out_during_a_refresh_stays_signed_out_and_the_fresh_token_is_revoked(site):
    ada = site.sign_in()
    site.wall.at += 300
    site.provider.during = lambda: site.sessions.end(ada.session)
    with pytest.raises(LoginRequired):
        site.have("users", ada)
    assert site.provider.revoked == ["refresh-2"]


@pytest.mark.parametrize("sid", ["", "1"])
def test_it_is_revoked_though_another_session_may_be_of_the_same_grant(site, sid):
    ada = site.sign_in(sid=sid)
    site.wall.at += 300
    site.sign_in(sid=sid)
    site.provider.during = lambda: site.sessions.sign_out(ada.session)
    with pytest.raises(LoginRequired):
        site.have("users", ada)
    assert site.provider.revoked == ["refresh-2"]
    assert site.sessions.tokens(ada.session) is None


def test_of_many_threads_with_a_stale_token_one_asks_and_all_have_the_fresh_one(site):
    ada = site.sign_in()
    site.wall.at += 300
    gate = threading.Barrier(16)
    had = []

    def want():
        gate.wait(5)
        had.append(site.have("users", ada))

    threads = [threading.Thread(target=want) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(10)
    assert had == [bearer("of-ada+")] * 16
    assert site.provider.refreshed == ["refresh-1"]


def test_one_who_waits_reads_what_another_process_has_refreshed(site):
    ada = site.sign_in()
    site.wall.at += 300
    store, name = site.sessions.store, f"refresh:{ada.session}"
    elsewhere = Lock.acquire(store, name, 5.0, lambda: site.wall.at)
    looks = []

    def other_process_is_done(_seconds):
        looks.append(1)
        if len(looks) == 3:
            kept = site.sessions.tokens(ada.session)
            fresh = replace(kept.tokens, access="theirs", expires=site.wall.at + 300)
            assert site.sessions.replace_tokens(ada.session, kept, fresh)
            elsewhere.release()

    site.renewals.pause = other_process_is_done
    assert site.have("users", ada) == bearer("theirs")
    assert site.provider.refreshed == []


def test_one_who_waits_does_not_wait_for_ever(site):
    ada = site.sign_in()
    site.wall.at += 300
    assert Lock.acquire(site.sessions.store, f"refresh:{ada.session}", 60.0, lambda: site.wall.at)

    def wait(seconds):
        site.wall.at += seconds

    site.renewals.pause = wait
    before = site.wall.at
    with pytest.raises(ProviderAway):
        site.have("users", ada)
    assert site.wall.at - before < 9


@BY_ITS_CLOCK
def test_one_who_waits_takes_the_turn_of_a_process_that_was_killed(site):
    ada = site.sign_in()
    site.wall.at += 300
    assert Lock.acquire(site.sessions.store, f"refresh:{ada.session}", 5.0, lambda: site.wall.at)

    def wait(seconds):
        site.wall.at += seconds

    site.renewals.pause = wait
    assert site.have("users", ada) == bearer("of-ada+")
    assert site.provider.refreshed == ["refresh-1"]


def test_a_lock_that_lapsed_costs_no_session_when_the_other_was_faster(site):
    """The provider calls a token spent that another process has just refreshed: theirs counts."""
    ada = site.sign_in()
    site.wall.at += 300

    def other_was_faster():
        kept = site.sessions.tokens(ada.session)
        fresh = replace(kept.tokens, access="theirs", expires=site.wall.at + 300)
        assert site.sessions.replace_tokens(ada.session, kept, fresh)

    site.provider.during = other_was_faster
    site.provider.result = GrantEnded("invalid_grant")
    assert site.have("users", ada) == bearer("theirs")


def test_fresh_tokens_that_come_too_late_are_not_used_and_end_no_others_of_their_grant(site):
    """To revoke them would end the grant (RFC 7009, section 2.1), and what is stored with it."""
    ada = site.sign_in()
    site.wall.at += 300

    def other_was_faster():
        kept = site.sessions.tokens(ada.session)
        fresh = replace(kept.tokens, access="theirs", expires=site.wall.at + 300)
        assert site.sessions.replace_tokens(ada.session, kept, fresh)

    site.provider.during = other_was_faster
    assert site.have("users", ada) == bearer("theirs")
    assert site.provider.revoked == []


@pytest.mark.parametrize(
    ("old", "new", "revoked"),
    [
        ({"sid": "1"}, {"sid": "1"}, []),
        ({"sid": "1"}, {"sid": "2"}, ["refresh-2"]),
        ({"sid": ""}, {"sid": ""}, []),
        ({"sid": "1"}, {"sid": ""}, []),
        ({"sid": "1"}, {"sid": "1", "subject": "grace"}, ["refresh-2"]),
    ],
)
def test_a_session_that_was_replaced_during_a_refresh_does_not_end_the_new_one(
    site, old, new, revoked
):
    ada = site.sign_in(**old)
    site.wall.at += 300

    def replaced():
        site.sign_in(**{"subject": "ada", **new})
        site.sessions.end(ada.session)

    site.provider.during = replaced
    with pytest.raises(LoginRequired):
        site.have("users", ada)
    assert site.provider.revoked == revoked


@pytest.mark.parametrize("written", [False, True])
def test_fresh_tokens_survive_a_store_that_is_away_whether_or_not_it_had_written(site, written):
    """They exist nowhere else: the provider has spent the old refresh token."""
    ada = site.sign_in()
    site.wall.at += 300
    put, away = site.sessions.store.put, [1, 1]

    def put_without_a_word(key, *rest):
        if key.startswith("tokens:") and away:
            away.pop()
            if written:
                put(key, *rest)
            raise StoreAway("no reply")
        return put(key, *rest)

    site.sessions.store.put = put_without_a_word
    assert site.have("users", ada) == bearer("of-ada+")
    assert site.sessions.tokens(ada.session).tokens.refresh == "refresh-2"
    assert site.provider.revoked == []


def test_a_store_that_stays_away_is_not_waited_for_for_ever(site):
    ada = site.sign_in()
    site.wall.at += 300

    def put(key, *_):
        if key.startswith("tokens:"):
            raise StoreAway("no reply")
        return "version"

    def wait(seconds):
        site.wall.at += seconds

    site.sessions.store.put, site.renewals.pause = put, wait
    with pytest.raises(StoreAway):
        site.have("users", ada)
    assert site.wall.at - START < 310


def test_two_people_refresh_at_once_and_each_has_their_own(site):
    people = {name: site.sign_in(name, refresh=f"of-{name}") for name in ("ada", "grace")}
    site.wall.at += 300
    had = {name: set() for name in people}

    def want(name):
        for _ in range(25):
            had[name].add(site.have("users", people[name]))
            had[name].add(site.have("orders", people[name]))

    threads = [threading.Thread(target=want, args=[name]) for name in people for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    for name, headers in had.items():
        assert headers == {bearer(f"of-{name}+"), bearer(f"of-{name}+-for-orders-api")}


def test_nobody_never_carries_a_token_whatever_the_service_wants_of_people(site):
    assert [site.have(name, NOBODY) for name in ("users", "files", "orders")] == [(), (), ()]
    assert site.provider.exchanged == []
    assert site.provider.own == 0


@BY_ITS_CLOCK
def test_a_token_for_one_service_is_made_once_per_person_and_kept_while_it_lasts(site):
    ada, grace = site.sign_in(), site.sign_in("grace")
    assert site.have("orders", ada) == bearer("of-ada-for-orders-api")
    assert site.have("orders", grace) == bearer("of-grace-for-orders-api")
    site.have("orders", ada)
    assert site.provider.exchanged == [
        ("of-ada", "orders-api", "read"),
        ("of-grace", "orders-api", "read"),
    ]
    site.wall.at += 290
    site.have("orders", ada)
    assert site.provider.exchanged[2:] == [("of-ada+", "orders-api", "read")]


@pytest.fixture
def kept_for_services(site):
    """How many tokens for one service the store has, whoever they are of."""
    store, names = site.sessions.store, set()
    put = store.put

    def noted(key, *more):
        names.add(key)
        return put(key, *more)

    store.put = noted
    made = "exchanged:"
    return lambda: sum(each.startswith(made) and store.get(each) is not None for each in names)


def test_tokens_for_one_service_go_with_the_session_that_they_were_made_for(
    site, kept_for_services
):
    ada, again, grace = site.sign_in(), site.sign_in(), site.sign_in("grace")
    for each in (ada, again, grace):
        site.have("orders", each)
    assert kept_for_services() == 3
    site.sessions.end(ada.session)
    assert kept_for_services() == 2
    site.sessions.end_all(again.issuer, again.subject)
    assert kept_for_services() == 1
    assert site.have("orders", grace) == bearer("of-grace-for-orders-api")
    assert len(site.provider.exchanged) == 3


def test_a_token_for_one_service_that_comes_after_the_sign_out_is_not_kept(site, kept_for_services):
    ada = site.sign_in()
    exchange = site.provider.exchange

    def slow(access, audience, scope, meanwhile):
        tokens = exchange(access, audience, scope, meanwhile)
        site.sessions.end(ada.session)
        return tokens

    site.provider.exchange = slow
    assert site.have("orders", ada) == bearer("of-ada-for-orders-api")
    assert kept_for_services() == 0


def test_a_rejected_token_for_one_service_is_made_anew(site):
    ada = site.sign_in()
    headers = site.have("orders", ada)
    site.wall.at += 60
    site.have("orders", ada, headers)
    assert len(site.provider.exchanged) == 2


def test_a_provider_that_makes_no_token_fails_the_call_and_keeps_the_session(site):
    ada = site.sign_in()

    def refuse(*_):
        raise GrantRefused("https://id.example/token", "invalid_target")

    site.provider.exchange = refuse
    with pytest.raises(NoCredentials, match="invalid_target") as error:
        site.have("orders", ada)
    assert error.value.status == 502
    assert site.sessions.tokens(ada.session)
    assert site.provider.refreshed == []


def test_a_bearers_token_goes_on_only_where_that_is_declared(site):
    phone = Principal("https://id.example", "ada", token="from-the-phone")
    assert site.have("files", phone) == bearer("from-the-phone")
    assert site.have("users", phone) == bearer("from-the-phone-for-users")
    assert site.have("files", phone, bearer("from-the-phone")) == bearer("from-the-phone")


def test_a_bearer_of_an_issuer_that_is_no_provider_of_ours_gets_nothing_exchanged(site):
    stranger = Principal("https://other.example", "ada", token="t")
    with pytest.raises(NoCredentials):
        site.have("orders", stranger)


@BY_ITS_CLOCK
def test_a_token_of_our_own_is_had_once_and_again_when_it_ends_or_is_rejected(site):
    first = site.have("stock", NOBODY)
    assert first == bearer("own-1--stock")
    assert site.have("stock", site.sign_in()) == first
    site.wall.at += 60
    assert site.have("stock", NOBODY, first) == bearer("own-2--stock")
    site.wall.at += 290
    assert site.have("stock", NOBODY) == bearer("own-3--stock")


def test_no_token_is_in_the_repr_of_what_carries_it(site):
    ada = site.sign_in()
    kept = site.sessions.tokens(ada.session)
    phone = Principal("https://id.example", "ada", token="from-the-phone")
    effect = Credentials("users", phone, bearer("rejected-token"))
    text = f"{kept!r} {effect!r} {ada!r}"
    for secret in ("of-ada", "refresh-1", "from-the-phone", "rejected-token", ada.session):
        assert secret not in text
