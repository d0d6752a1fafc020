"""What is tried for one request: where, when, how often, and what it costs."""

import gc
from collections import Counter

import orjson
import pytest

from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.dev.recordings.virtual import VirtualClock
from bff.engine.answer import ViewRequest
from bff.engine.conductor import conduct
from bff.engine.runtime import Runtime, caching_of
from bff.errors import TimedOut, Unreachable
from bff.model.exchange import Deadline, Reply
from bff.upstream.guard import Guards
from tests.kept import Wall, memory_only
from tests.random_plans import asked
from tests.simulation import Played, SimulatedEffects, SimulatedExchange

WELL, BUSY = Reply(200, (("content-type", "application/json"),), b"1"), Reply(503, (), b"")
REFUSED = Unreachable("refused", "connect")


class Bench:
    """One service and one call, asked as often as a test wants."""

    def __init__(self, script, service, call, dice=1.0):
        service = {"url": "http://one.test", "timeout": "1s", **service}
        root = {
            "version": 1,
            "frontends": {"web": {"access": "none"}},
            "services": {"s": service},
        }
        params = {"ids": {"type": "array", "required": False}}
        call = call if "post" in call else {"get": "s:/x", **call}
        view = {"get": "/all", "timeout": "10s", "params": params, "call": call}
        if "post" in call:
            view["post"] = view.pop("get")
        nodes = [parse(orjson.dumps(each).decode(), "made.yaml", {}) for each in (root, view)]
        checked = check_config(assemble(nodes[0], {"all": nodes[1]}, {}))
        self.plan = checked.plans["all"]["web"]
        self.clock = VirtualClock()
        self.guards = Guards(checked.config.services, 32, self.clock, lambda: dice)
        self.exchange = SimulatedExchange(self.clock, script)

    def ask(self, left=10.0, cache=None):
        """The outcome of one answer."""
        exchange, clock, guards = self.exchange, self.clock, self.guards
        effects = SimulatedEffects(clock, None)
        deadline = Deadline(clock.now() + left)
        caching = caching_of(cache, effects, clock, guards) if cache else None
        runtime = Runtime(exchange, effects, clock, guards, caching)
        answer = conduct(self.plan, asked(), deadline, runtime)
        seen = self.guards["s"].snapshot()
        assert (seen.in_flight, seen.waiting, seen.extra) == (0, 0, 0)
        return answer.outcomes["call"]

    @property
    def sent(self):
        """When each request was sent, in milliseconds."""
        return [round(each.at * 1000) for each in self.exchange.started]


@pytest.fixture
def bench():
    def make(*results, service=None, call=None, dice=1.0):
        """Each request gets the next of `results`: milliseconds and what then comes."""
        numbers = iter(range(10_000))

        def script(_request):
            after, result = results[min(next(numbers), len(results) - 1)]
            return None if result is None else Played(after / 1000, result)

        return Bench(script, service or {}, {"optional": True, **(call or {})}, dice)

    return make


RETRY = {"retries": 3, "first": "100ms", "most": "300ms"}


@pytest.mark.parametrize(
    ("dice", "sent"), [(1.0, [0, 110, 320, 630]), (0.5, [0, 60, 170, 330]), (0.0, [0, 10, 20, 30])]
)
def test_the_waits_are_timers_of_the_conductor(bench, dice, sent):
    made = bench((10, BUSY), service={"retry": RETRY, "timeout": "5s"}, dice=dice)
    assert made.ask().reason == "status"
    assert made.sent == sent


def test_no_wait_goes_past_the_time_of_the_call(bench):
    made = bench((10, BUSY), service={"retry": RETRY, "timeout": "300ms"})
    made.ask()
    assert made.sent == [0, 110]
    assert made.clock.now() == pytest.approx(0.12)


def test_the_views_deadline_holds_for_waits_too(bench):
    made = bench((10, BUSY), service={"retry": RETRY, "timeout": "5s"})
    made.ask(left=0.15)
    assert made.sent == [0, 110]


def test_retry_after_is_kept(bench):
    later = Reply(429, (("retry-after", "2"),), b"")
    made = bench((0, later), (0, WELL), service={"retry": RETRY, "timeout": "5s"})
    assert made.ask().kind == "ok"
    assert made.sent == [0, 2100]


def test_a_hanging_attempt_leaves_time_for_another(bench):
    retry = {"retries": 1, "each": "200ms", "first": "10ms"}
    made = bench((0, None), (10, WELL), service={"retry": retry})
    assert made.ask().kind == "ok"
    assert made.sent == [0, 210]
    assert made.exchange.started[0].cancelled == pytest.approx(0.2)


def test_another_address_is_tried(bench):
    urls = ["http://one.test", "http://two.test"]
    made = bench((0, REFUSED), (0, WELL), service={"url": urls, "retry": {"first": "10ms"}})
    for _ in range(10):
        made.ask()
        first, second = made.exchange.started[-2:] if len(made.sent) == 2 else (None, None)
        if first:
            assert {first.what.url, second.what.url} == set(urls)
    assert len(made.sent) == 11


@pytest.mark.parametrize("turn", [0, 1])
def test_another_address_is_tried_for_what_is_kept_too(bench, turn):
    urls = ["http://one.test", "http://two.test"]
    call = {"cache": {"ttl": "1h"}}
    service = {"url": urls, "retry": {"first": "10ms"}}
    made = bench((0, BUSY), (0, WELL), service=service, call=call)
    guard = made.guards["s"]
    spend = guard.spend

    def others_ask_meanwhile():
        for _ in range(turn):
            guard.admit().settle(WELL)
        return spend()

    guard.spend = others_ask_meanwhile
    assert made.ask(cache=memory_only(Wall())).kind == "ok"
    assert {each.what.url for each in made.exchange.started} == set(urls)


def test_a_hedge_goes_to_another_address(bench):
    urls = ["http://one.test", "http://two.test"]
    made = bench((0, None), (10, WELL), service={"url": urls, "hedge": "50ms"})
    assert made.ask().kind == "ok"
    assert {each.what.url for each in made.exchange.started} == set(urls)


def test_the_loser_is_cancelled(bench):
    made = bench((500, WELL), (100, WELL), service={"hedge": "50ms"})
    made.ask()
    assert made.sent == [0, 50]
    assert made.exchange.started[0].cancelled == pytest.approx(0.15)
    made = bench((60, WELL), (100, WELL), service={"hedge": "50ms"})
    made.ask()
    assert made.exchange.started[1].cancelled == pytest.approx(0.06)


def test_the_first_that_fails_leaves_the_other(bench):
    made = bench((60, BUSY), (100, WELL), service={"hedge": "50ms"})
    assert made.ask().kind == "ok"
    assert made.clock.now() == pytest.approx(0.15)


def test_when_both_fail_the_retry_comes_after_both(bench):
    made = bench(
        (60, BUSY), (100, BUSY), (0, WELL), service={"hedge": "50ms", "retry": {"first": "10ms"}}
    )
    assert made.ask().kind == "ok"
    assert made.sent == [0, 50, 160]


def test_a_refused_first_request_is_not_hedged_but_retried(bench):
    made = bench((5, REFUSED), (0, WELL), service={"hedge": "50ms", "retry": {"first": "10ms"}})
    assert made.ask().kind == "ok"
    assert made.sent == [0, 15]


def test_a_full_service_is_not_hedged(bench):
    made = bench((200, WELL), service={"hedge": "50ms", "limit": 1})
    assert made.ask().kind == "ok"
    assert made.sent == [0]


def test_the_percentile_says_when_to_hedge(bench):
    made = bench(*[(20, WELL)] * 30, (0, None), (20, WELL), service={"hedge": "p95"})
    for _ in range(30):
        made.ask()
    begun = made.clock.now()
    assert made.ask().kind == "ok"
    assert [round(at - begun * 1000) for at in made.sent[-2:]] == [0, 20]


def test_what_cannot_be_in_time_is_not_sent(bench):
    made = bench((100, WELL), service={"hopeless": "refuse"})
    for _ in range(20):
        assert made.ask(left=0.2).kind == "ok"
    outcome = made.ask(left=0.09)
    assert (outcome.kind, outcome.reason, len(made.sent)) == ("failed", "timeout", 20)
    assert made.ask(left=0.11).kind == "ok"


def test_the_budget_bounds_what_is_sent_again_at_once(bench):
    made = bench(
        (10, BUSY),
        service={"retry": {"first": "100ms"}, "limit": 100},
        call={"each": "params.ids", "get": "s:/{item}"},
    )
    scope = asked()
    scope.scope["params"]["ids"] = [str(number) for number in range(40)]
    effects = SimulatedEffects(made.clock, None)
    conduct(
        made.plan, scope, Deadline(9.0), Runtime(made.exchange, effects, made.clock, made.guards)
    )
    again = [each.at for each in made.exchange.started if each.at > 0]
    # 20 % of those under way, never fewer than three; each that ends makes fewer
    assert 3 <= len(again) <= 8
    assert made.guards["s"].snapshot().extra == 0


def test_what_waits_for_a_place_past_its_time_has_met_the_limit(bench):
    made = bench(
        (500, WELL),
        service={"limit": {"calls": 1, "wait": "50ms"}},
        call={"each": "params.ids", "get": "s:/{item}"},
    )
    scope = asked()
    scope.scope["params"]["ids"] = ["a", "b"]
    effects = SimulatedEffects(made.clock, None)
    answer = conduct(
        made.plan, scope, Deadline(9.0), Runtime(made.exchange, effects, made.clock, made.guards)
    )
    outcome = answer.outcomes["call"]
    assert (outcome.reason, outcome.failed, outcome.of) == ("limit", 1, 2)


def test_an_error_of_the_machine_gives_everything_back(bench):
    made = bench((500, WELL), service={"retry": RETRY, "hedge": "50ms"})

    class BrokenError(Exception):
        pass

    def breaks(_number):
        raise BrokenError

    made.exchange.cancel = lambda _handle: None
    effects = SimulatedEffects(made.clock, None)
    mailbox = made.clock.mailbox()
    mailbox.get = breaks
    made.clock.mailbox = lambda: mailbox
    with pytest.raises(BrokenError):
        conduct(
            made.plan,
            asked(),
            Deadline(9.0),
            Runtime(made.exchange, effects, made.clock, made.guards),
        )
    seen = made.guards["s"].snapshot()
    assert (seen.in_flight, seen.extra) == (0, 0)


def test_a_choice_among_addresses_spreads_the_load(bench):
    urls = [f"http://{name}.test" for name in ("one", "two", "three")]
    made = bench((10, WELL), service={"url": urls})
    for _ in range(30):
        made.ask()
    assert Counter(each.what.url for each in made.exchange.started) == dict.fromkeys(urls, 10)


def test_a_time_out_counts_against_the_address(bench):
    made = bench((0, None), service={"breaker": {"of": 2, "failures": "100%"}, "timeout": "100ms"})
    reasons = [made.ask().reason for _ in range(3)]
    assert reasons == [TimedOut.reason, TimedOut.reason, "circuit_open"]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_client_that_has_gone_is_not_worked_for_unless_something_is_written(bench, method):
    call = {method: "s:/x"}
    made = bench((900, WELL), service={"retry": RETRY, "hedge": "50ms"}, call=call)
    scope = asked()
    gone = ViewRequest(scope.scope, {}, scope.principal, gone=lambda: made.clock.now() > 0.3)
    effects = SimulatedEffects(made.clock, None)
    answer = conduct(
        made.plan, gone, Deadline(9.0), Runtime(made.exchange, effects, made.clock, made.guards)
    )
    if method == "post":
        assert answer.outcomes["call"].kind == "ok"
        return
    assert answer.failure.status == 499
    assert made.clock.now() == pytest.approx(0.5), "the second look"
    assert all(each.cancelled == pytest.approx(0.5) for each in made.exchange.started)
    assert made.guards["s"].snapshot().in_flight == 0


def circles(run):
    """What `run` leaves to the garbage collector; threads of other tests may leave their own."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        run()
        gc.collect()
        found = [str(getattr(each, "__module__", "")) for each in gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    return [each for each in found if each.startswith(("bff.engine", "bff.plan", "bff.upstream"))]


def test_an_answer_leaves_no_circle_behind(bench):
    """Its values would stay until the garbage collector comes by, which costs memory and time."""
    made = bench((10, BUSY), (200, WELL), (10, WELL), service={"retry": RETRY, "hedge": "50ms"})
    kinds = []
    assert circles(lambda: kinds.append(made.ask().kind)) == []
    assert kinds == ["ok"]


def test_a_cached_answer_leaves_no_circle_behind(bench):
    """Neither one that was fetched nor one from the cache nor one in place of a failure."""
    wall, kinds = Wall(), []
    rule = {"cache": {"ttl": "10s", "stale_if_error": "60s"}}
    made = bench((10, WELL), (10, REFUSED), call=rule)
    cache = memory_only(wall)
    for age in (0, 5, 20):
        wall.pass_by(age)
        assert circles(lambda: kinds.append(made.ask(cache=cache).kind)) == []
    assert kinds == ["ok", "ok", "stale"]
    assert len(made.sent) == 2
