"""What is known of a service: places, breakers, addresses and the budget, behind one lock."""

import threading
from dataclasses import replace

import pytest

from bff.dev.recordings.virtual import VirtualClock
from bff.errors import Cancelled, CircuitOpen, TimedOut, Unreachable
from bff.model.exchange import Reply
from bff.model.policy import Break, Eject
from bff.model.service import Service
from bff.model.source import Place
from bff.observe.events import AddressChanged
from bff.upstream.exchange import Completion, SystemClock
from bff.upstream.guard import Guard, Guards
from bff.upstream.permit import Permit

SERVICE = Service("s", Place("t"), "http://one.test", 2.0, 1000)
TWO = replace(SERVICE, others=("http://two.test",))
WELL, BROKEN = Reply(200, (), b""), Reply(500, (), b"")
GONE = Unreachable("refused", "connect")


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def heard():
    return []


@pytest.fixture
def guarding(clock, heard):
    """Make a guard: `guarding(limit=2)`."""

    def make(service=SERVICE, **declared):
        return Guard(replace(service, **declared), 32, clock, heard.append)

    return make


def end(guard, *results):
    """One request after the other, each with its end."""
    for result in results:
        guard.settle(guard.admit(), result)


# -- places ------------------------------------------------------------------------------------


def test_a_place_that_comes_free_goes_to_who_waits_first(guarding, clock):
    guard, mailbox = guarding(limit=1), clock.mailbox()
    held = guard.admit()
    assert guard.admit() is None
    for attempt in (1, 2):
        guard.start((), attempt, mailbox)
    assert guard.snapshot().waiting == 2
    guard.settle(held, WELL)
    completion = mailbox.get(0.0)
    assert completion.attempt == 1
    assert isinstance(completion.result, Permit)
    assert mailbox.get(0.0) is None
    guard.settle(completion.result, WELL)
    assert mailbox.get(0.0).attempt == 2


def test_who_left_the_line_gets_no_place_and_loses_none(guarding, clock):
    guard, mailbox = guarding(limit=1), clock.mailbox()
    held = guard.admit()
    first, second = guard.start((), 1, mailbox), guard.start((), 2, mailbox)
    guard.cancel(first)
    guard.settle(held, WELL)
    assert mailbox.get(0.0).attempt == 2
    guard.cancel(second)  # it has the place, and does not want it any more
    assert guard.snapshot().in_flight == 0
    assert guard.admit()


def test_a_place_that_is_free_by_now_is_had_at_once(guarding, clock):
    guard, mailbox = guarding(limit=1), clock.mailbox()
    guard.start((), 7, mailbox)
    assert isinstance(mailbox.get(0.0).result, Permit)


@pytest.mark.parametrize("ends", [WELL, GONE, Cancelled("x"), TimedOut("x")], ids=str)
def test_only_the_first_word_about_an_end_counts(guarding, clock, ends):
    guard, mailbox = guarding(limit=2), clock.mailbox()
    one, other = guard.admit(), guard.admit()
    one.forward_to(mailbox).put(Completion(1, ends))
    one.settle(BROKEN)
    one.put(Completion(1, WELL))
    assert guard.snapshot().in_flight == 1
    guard.settle(other, WELL)
    assert guard.snapshot().in_flight == 0


def test_an_end_is_counted_before_the_conductor_looks(guarding, clock):
    guard, mailbox = guarding(limit=1), clock.mailbox()
    permit = guard.admit().forward_to(mailbox)
    permit.put(Completion(1, WELL))
    assert guard.admit(), "nobody has read the mailbox yet"
    assert mailbox.get(0.0).result is WELL


# -- breakers ----------------------------------------------------------------------------------

TRIPS = Break(of=3, failures=1.0, open=5.0, probes=1)


def test_an_open_breaker_refuses_and_says_until_when(guarding, clock, heard):
    guard = guarding(breaker=TRIPS)
    end(guard, BROKEN, GONE, TimedOut("late"))
    clock.advance(2.0)
    with pytest.raises(CircuitOpen) as refused:
        guard.admit()
    assert refused.value.retry_after == 3.0
    assert guard.snapshot().addresses["http://one.test"]["state"] == "open"
    clock.advance(5.0)
    probe = guard.admit()
    with pytest.raises(CircuitOpen):
        guard.admit()
    guard.settle(probe, WELL)
    assert guard.admit()
    assert heard == [
        AddressChanged("s", "http://one.test", state) for state in ("open", "half_open", "closed")
    ]


def test_what_a_client_did_wrong_is_no_failure_of_the_service(guarding):
    guard = guarding(breaker=TRIPS)
    end(guard, *[Reply(404, (), b"")] * 3, *[Cancelled("given up")] * 3)
    assert guard.admit()


def test_who_waits_when_it_opens_is_told(guarding, clock):
    guard, mailbox = guarding(breaker=TRIPS, limit=1), clock.mailbox()
    end(guard, BROKEN, BROKEN)
    held = guard.admit()
    for attempt in (1, 2):
        guard.start((), attempt, mailbox)
    guard.settle(held, BROKEN)
    assert [type(mailbox.get(0.0).result) for _ in range(2)] == [CircuitOpen, CircuitOpen]
    assert guard.snapshot().in_flight == 0


def test_each_address_has_a_breaker_of_its_own(guarding):
    guard = guarding(TWO, breaker=TRIPS, balance="round_robin", eject=Eject(after=99))
    for _ in range(6):
        permit = guard.admit()
        guard.settle(permit, BROKEN if permit.url == "http://two.test" else WELL)
    assert {guard.admit().url for _ in range(10)} == {"http://one.test"}


# -- addresses ---------------------------------------------------------------------------------


def test_the_one_with_fewer_requests_out_is_asked(guarding):
    guard = guarding(TWO)
    permits = [guard.admit() for _ in range(6)]
    assert sorted(each.url for each in permits) == ["http://one.test"] * 3 + ["http://two.test"] * 3
    for each in permits:
        if each.url == "http://two.test":
            guard.settle(each, WELL)
    assert [guard.admit().url for _ in range(3)] == ["http://two.test"] * 3


def test_one_that_has_failed_is_avoided_where_there_is_another(guarding):
    guard = guarding(TWO)
    assert {guard.admit(["http://one.test"]).url for _ in range(9)} == {"http://two.test"}
    assert guard.admit(["http://one.test", "http://two.test"])


def test_one_that_fails_in_a_row_is_left_out_for_a_while(guarding, clock, heard):
    guard = guarding(TWO, balance="round_robin", eject=Eject(after=2, time=10.0))
    for _ in range(4):
        permit = guard.admit()
        guard.settle(permit, GONE if permit.url == "http://one.test" else WELL)
    assert heard == [AddressChanged("s", "http://one.test", "ejected")]
    counted = {url: each["ejections"] for url, each in guard.snapshot().addresses.items()}
    assert counted == {"http://one.test": 1, "http://two.test": 0}
    assert {guard.admit().url for _ in range(4)} == {"http://two.test"}
    clock.advance(10.0)
    assert {guard.admit().url for _ in range(4)} == {"http://one.test", "http://two.test"}


def test_one_that_is_left_out_is_asked_before_nobody_is(guarding):
    guard = guarding(TWO, breaker=TRIPS, eject=Eject(after=1, time=10.0), balance="round_robin")
    ejected = guard.admit()
    guard.settle(ejected, GONE)
    for _ in range(3):  # and now the other one trips its breaker
        guard.settle(guard.admit(), GONE)
    assert guard.admit().url == ejected.url


# -- the budget --------------------------------------------------------------------------------


def test_the_budget_is_a_share_of_what_is_under_way(guarding):
    guard = guarding(limit=50)
    for _ in range(50):
        guard.admit()
    assert sum(guard.spend() for _ in range(100)) == 10
    guard.give_back(10)
    assert guard.snapshot().extra == 0


def test_no_more_than_a_fifth_of_what_is_out_was_sent_again(guarding):
    """Those that are out count among the requests once, and not once more as retries."""
    guard = guarding(limit=200)
    permits = [guard.admit() for _ in range(80)]
    again = 0
    while guard.spend():
        again += 1
        permits.append(guard.admit())
    assert again == 19
    assert again / guard.snapshot().in_flight <= 0.2


def test_a_service_that_is_seldom_asked_has_a_few_all_the_same(guarding):
    guard = guarding(limit=50)
    assert sum(guard.spend() for _ in range(9)) == 3


# -- threads -----------------------------------------------------------------------------------


def test_a_hung_service_cannot_take_all_threads(serving, asking):
    ends = threading.Event()

    def fine(wire):
        while wire.head():
            wire.reply()

    made = asking(hung=serving(lambda _: ends.wait()).url, s=serving(fine).url, size=4)
    services = {name: replace(SERVICE, name=name) for name in ("hung", "s")}
    guards = Guards(services, 2, SystemClock())
    held = [guards["hung"].admit() for _ in range(50)]
    for permit in filter(None, held):
        made.start("/", service="hung")
        assert permit
    assert len([each for each in held if each]) == 2
    assert all(isinstance(made.ask("/", service="s"), Reply) for _ in range(10))
    ends.set()


def test_many_threads_keep_the_limit_and_lose_no_place():
    guard = Guard(replace(SERVICE, limit=3), 32, SystemClock(), lambda _: None)
    lock, now, most, done = threading.Lock(), [0], [0], []

    def one():
        mailbox = SystemClock().mailbox()
        for attempt in range(50):
            permit = guard.admit()
            if permit is None:
                guard.start((), attempt, mailbox)
                permit = mailbox.get(10.0).result
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            with lock:
                now[0] -= 1
            guard.settle(permit, WELL)
            done.append(attempt)

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(done) == 400
    assert most[0] <= 3
    assert (guard.snapshot().in_flight, guard.snapshot().waiting) == (0, 0)
