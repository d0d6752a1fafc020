"""Sign-ins from one address and requests of one person are counted, by all processes together."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bff.app import create_app
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.errors import RateLimited, StoreAway
from bff.model.access import Limits as Rules
from bff.store.sqlite import SqliteStore
from bff.web.access.rate_limits import RateLimits, rate_limit_headers

ADDRESS = "203.0.113.7"


class Clock:
    def __init__(self):
        self.at = 1_800_000_000.0

    def now(self):
        return self.at


class Switch:
    """A store that can go away."""

    def __init__(self, store):
        self.store, self.away, self.asked = store, "", 0

    def __getattr__(self, name):
        def ask(*args):
            self.asked += 1
            if name in self.away.split():
                raise StoreAway("gone")
            return getattr(self.store, name)(*args)

        return ask


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    store = SqliteStore(tmp_path / "sessions.db", clock.now)
    yield Switch(store)
    store.close()


@pytest.fixture
def limits(store, clock):
    return RateLimits(store, Rules(sign_in="3/minute", person="5/second"), clock.now)


def passed(ask, *args, times=1):
    """How many of so many requests are let through."""
    count = 0
    for _ in range(times):
        try:
            ask(*args)
            count += 1
        except RateLimited:
            pass
    return count


def counted(store, address):
    """What the store knows of sign-ins from an address."""
    entries = [store.store.get(f"limit:sign-in/{n}/minute/{address}") for n in (3, 20)]
    return [int(entry.value) for entry in entries if entry]


def test_what_is_more_than_the_rule_allows_is_refused_until_the_window_is_over(limits, clock):
    assert passed(limits.count_sign_in, ADDRESS, times=10) == 3
    clock.at += 59.9
    assert passed(limits.count_sign_in, ADDRESS) == 0
    clock.at += 0.2
    assert passed(limits.count_sign_in, ADDRESS, times=10) == 3


def test_a_refusal_says_what_the_rule_is_and_how_long_to_wait(limits, clock):
    assert passed(limits.count_sign_in, ADDRESS, times=3) == 3
    clock.at += 20
    with pytest.raises(RateLimited) as refused:
        limits.count_sign_in(ADDRESS)
    assert (refused.value.status, refused.value.retry_after) == (429, 41)  # never a moment early
    assert rate_limit_headers(refused.value) == {
        "Retry-After": "41",
        "RateLimit-Policy": '"sign-in";q=3;w=60',
        "RateLimit": '"sign-in";r=0;t=41',
    }
    assert ADDRESS not in str(refused.value)


def test_the_wait_is_never_longer_than_the_window_nor_nothing(limits, clock):
    waits = []
    assert passed(limits.count_sign_in, ADDRESS, times=3) == 3
    for after in (0, 59.5, 0.4):
        clock.at += after
        with pytest.raises(RateLimited) as refused:
            limits.count_sign_in(ADDRESS)
        waits.append(refused.value.retry_after)
    assert waits == [60, 1, 1]


def test_rules_addresses_and_people_are_counted_apart(limits):
    assert passed(limits.count_sign_in, ADDRESS, times=9) == 3
    assert passed(limits.count_sign_in, "203.0.113.8", times=9) == 3
    assert passed(limits.count_request, ADDRESS, times=9) == 5
    assert passed(limits.count_request, "a" * 64, times=9) == 5
    assert passed(limits.count_request, "b" * 64, times=9) == 5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),  # whoever has one has 2^64
        ("2001:db8:1:2::1", "2001:DB8:1:2::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", ADDRESS, True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("no address", "nor this", False),
    ],
)
def test_addresses_of_one_network_are_one(limits, one, other, same):
    assert passed(limits.count_sign_in, one, times=3) == 3
    assert passed(limits.count_sign_in, other) == (0 if same else 1)


def test_without_a_rule_nothing_is_asked(store, clock):
    limits = RateLimits(store, Rules(sign_in="", person=""), clock.now)
    assert passed(limits.count_sign_in, ADDRESS, times=9) == 9
    assert passed(limits.count_request, ADDRESS, times=9) == 9
    assert store.asked == 0


def test_who_has_no_address_is_not_counted(limits, store):
    assert passed(limits.count_sign_in, "", times=9) == 9
    assert store.asked == 0


def test_the_default_limits_sign_ins_alone(store, clock):
    limits = RateLimits(store, Rules(), clock.now)
    assert passed(limits.count_sign_in, ADDRESS, times=30) == 20
    assert passed(limits.count_request, ADDRESS, times=30) == 30


def test_processes_count_together_and_none_is_missed(tmp_path, clock):
    # each has a store of its own on the one file, as processes do
    stores = [SqliteStore(tmp_path / "sessions.db", clock.now) for _ in range(4)]
    rules = Rules(sign_in="20/minute")
    processes = [RateLimits(store, rules, clock.now) for store in stores]

    def ask(at):
        return passed(processes[at % len(processes)].count_sign_in, ADDRESS)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(64))) == 20
    assert counted(Switch(stores[0]), ADDRESS) == [64]
    for store in stores:
        store.close()


def test_while_the_store_is_away_each_process_counts_alone(limits, store):
    assert passed(limits.count_sign_in, ADDRESS, times=2) == 2
    store.away = "get put"
    assert passed(limits.count_sign_in, ADDRESS, times=9) == 3
    with pytest.raises(RateLimited) as refused:
        limits.count_sign_in(ADDRESS)
    assert 0 < refused.value.retry_after <= 60


def test_when_the_store_is_back_its_counts_count_again(limits, store):
    assert passed(limits.count_sign_in, ADDRESS, times=3) == 3
    store.away = "get put"
    assert passed(limits.count_sign_in, ADDRESS) == 1
    store.away = ""
    for at in range(100):  # it looks after a second whether the store is there
        other = f"198.51.100.{at}"
        limits.count_sign_in(other)
        if counted(store, other):
            break
        time.sleep(0.05)
    assert passed(limits.count_sign_in, ADDRESS) == 0


def test_a_store_that_goes_away_while_a_refusal_is_made_costs_nothing_but_the_exact_time(
    limits, store
):
    assert passed(limits.count_sign_in, ADDRESS, times=3) == 3
    put = store.store.put

    def last(*args):
        store.away = "get"
        return put(*args)

    store.store.put = last
    with pytest.raises(RateLimited) as refused:
        limits.count_sign_in(ADDRESS)
    assert refused.value.retry_after == 60


def test_more_at_once_than_can_be_counted_is_too_many(limits, store):
    store.store.put = lambda *_: ""
    assert passed(limits.count_sign_in, ADDRESS) == 0


def test_the_store_is_not_asked_before_it_is_needed(store, clock):
    RateLimits(store, Rules(sign_in="3/minute", person="5/second"), clock.now)
    assert store.asked == 0


def test_counts_of_a_process_alone_are_forgotten_when_their_windows_end(limits, store, clock):
    store.away = "get put"
    assert passed(limits.count_sign_in, ADDRESS, times=9) == 3
    for at in range(100):
        limits.count_sign_in(f"198.51.100.{at}")
    clock.at += 60
    assert passed(limits.count_sign_in, ADDRESS, times=9) == 3
    assert len(limits._sign_in._local._counts) == 1


def test_a_store_that_was_away_is_not_asked_again_at_once(limits, store):
    store.away = "get put"
    assert passed(limits.count_sign_in, ADDRESS, times=9) == 3
    assert store.asked == 1


@pytest.fixture
def shop(tmp_path):
    text = """
version: 1
hosts: [shop.example]
frontends: {web: {access: session}}
services: {users: {url: "http://127.0.0.1:9"}}
limits: {sign_in: 2/hour, person: 3/hour}
"""
    view = "get: /home\naccess: public\ncall: {get: users:/x, fallback: {}}\n"
    views = {"home": parse(view, "home.yaml", {})}
    checked = check_config(assemble(parse(text, "bff.yaml", {}), views, {}))
    app = create_app(checked, Settings(Path("unused"), state=tmp_path))

    def ask(path, address=ADDRESS):
        return app.test_client().get(
            path, base_url="https://shop.example", environ_base={"REMOTE_ADDR": address}
        )

    return ask


@pytest.mark.parametrize(
    ("path", "rule", "quota"),
    [("/auth/login", "sign-in", 2), ("/auth/callback", "sign-in", 2), ("/web/home", "person", 3)],
)
def test_who_asks_too_often_is_answered_with_a_problem(shop, path, rule, quota):
    assert 429 not in [shop(path).status_code for _ in range(quota)]
    reply = shop(path)
    assert (reply.status_code, reply.mimetype) == (429, "application/problem+json")
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["RateLimit-Policy"] == f'"{rule}";q={quota};w=3600'
    wait = int(reply.headers["Retry-After"])
    assert 3590 <= wait <= 3600
    assert reply.headers["RateLimit"] == f'"{rule}";r=0;t={wait}'
    assert shop(path, "203.0.113.8").status_code != 429


def test_the_steps_of_a_sign_in_count_together(shop):
    assert [shop(f"/auth/{step}").status_code for step in ("login", "callback", "login")][2] == 429
    assert shop("/web/home").status_code == 200
