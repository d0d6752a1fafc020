"""An exception that no code expects ends one call, is reported, and leaves nothing behind."""

import orjson
import pytest
import yaml

from bff.cache.cache import Cache
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.dev.recordings.virtual import VirtualClock
from bff.engine.conductor import conduct
from bff.engine.runtime import Runtime, caching_of
from bff.model.exchange import Deadline, Reply
from bff.observe.boundary import ErrorBoundary
from bff.upstream.guard import Guards
from tests.random_plans import asked
from tests.simulation import Played, SimulatedEffects, SimulatedExchange

JSON = (("content-type", "application/json"),)
SERVICES = {
    "s": {"url": "http://s.test", "limit": 2},
    "retried": {"url": "http://r.test", "limit": 2, "retry": {"retries": 2, "on": [503]}},
    "moved": {"url": "http://m.test", "redirects": "follow", "links": {"under": "/"}},
    "secured": {"url": "http://c.test", "limit": 2, "credentials": "session"},
}


class Rude(Reply):
    """A reply whose headers no code can read."""

    def header(self, name):
        raise RecursionError(f"S3CRET {name}")


class RudeHeaders(tuple):
    """Headers that cannot be looked through."""

    __slots__ = ()

    def __iter__(self):
        raise MemoryError("S3CRET")


class Bench:
    """A plan, what is raised unforeseen while it is conducted, and what it leaves behind."""

    def __init__(self, calls, script, *, raises=False):
        root = {"version": 1, "frontends": {"web": {"access": "none"}}, "services": SERVICES}
        view = {"get": "/all", "timeout": "5s", "calls": calls}
        view["shape"] = {name: name for name in calls}
        nodes = [parse(orjson.dumps(each).decode(), "made.yaml", {}) for each in (root, view)]
        checked = check_config(assemble(nodes[0], {"all": nodes[1]}, {}))
        self.plan = checked.plans["all"]["web"]
        self.clock, self.reported = VirtualClock(), []
        self.guards = Guards(checked.config.services, 8, self.clock, lambda: 0.5)
        self.exchange = SimulatedExchange(self.clock, script)
        effects = SimulatedEffects(self.clock, 0.0)
        boundary = ErrorBoundary(self.reported.append, raises=raises)
        cache = Cache(10**6, now=lambda: 1e9 + self.clock.now(), chance=lambda: 0.5)
        parts = (self.exchange, effects, self.clock, self.guards)
        self.caching = caching_of(cache, *parts[1:], boundary)
        self.runtime = Runtime(*parts, self.caching, boundary)

    def ask(self):
        try:
            return conduct(self.plan, asked(), Deadline(self.clock.now() + 5), self.runtime)
        finally:
            for seen in self.guards.snapshot().values():
                assert (seen.in_flight, seen.waiting, seen.extra) == (0, 0, 0)
            assert not len(self.caching.fetches._flights)
            assert not self.caching.fetches._queued


def by_target(**replies):
    return lambda request: Played(0.01, replies[request.target.strip("/").partition("?")[0]])


WELL = Reply(200, JSON, b'[{"id": 1}, {"id": 2}]')
PAGED = Reply(200, RudeHeaders(JSON), b"[1]")
CASES = {
    "decoding": ("get: s:/bad", Rude(200, JSON, b"1")),
    "the wait before a second try": ("get: retried:/bad", Rude(503, JSON, b"1")),
    "a redirect": ("get: moved:/bad", Rude(302, JSON, b"")),
    "the link to a page": ("get: moved:/bad, pages: {link: next, gather: 3}", PAGED),
    "a header that goes on": ("get: s:/bad, decode: none, respond: [X-A]", Rude(200, JSON, b"")),
    "whether it is cached": ("get: s:/bad, decode: none, cache: {ttl: 5s}", PAGED),
    "what of it is cached": ("get: retried:/bad, cache: upstream", Rude(200, JSON, b"1")),
}


def call_of(text, rung):
    return {**yaml.safe_load(f"{{{text}}}"), **rung}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("rung", [{}, {"optional": True}, {"fallback": []}], ids=str)
def test_it_ends_the_call_by_its_own_rule_and_no_other(case, rung):
    text, bad = CASES[case]
    calls = {"well": {"get": "s:/well"}, "bad": call_of(text, rung)}
    bench = Bench(calls, by_target(well=WELL, bad=bad))
    for _ in range(3):
        answer = bench.ask()
        outcome = answer.outcomes["bad"]
        assert outcome.reason == "internal"
        assert "S3CRET" not in outcome.detail
        if not rung:
            assert (answer.failure.status, answer.failure.reason) == (502, "internal")
            continue
        assert answer.value["well"] == [{"id": 1}, {"id": 2}]
        assert answer.outcomes["well"].kind == "ok"
        assert outcome.kind == ("fallback" if "fallback" in rung else "failed")
        assert answer.value["bad"] == rung.get("fallback")
    assert len(bench.reported) == 3
    assert {each.origin.call for each in bench.reported} == {"bad"}
    assert {type(each.error) for each in bench.reported} <= {RecursionError, MemoryError}


@pytest.mark.parametrize("case", [name for name in CASES if "cached" not in name])
def test_for_a_test_it_ends_the_request_and_is_raised(case):
    text, bad = CASES[case]
    bench = Bench({"bad": call_of(text, {})}, by_target(bad=bad), raises=True)
    with pytest.raises((RecursionError, MemoryError), match="S3CRET"):
        bench.ask()


def test_of_a_repeated_call_it_ends_one_request():
    def script(request):
        if request.target == "/well":
            return Played(0.01, WELL)
        return Played(
            0.01, Rude(200, JSON, b"1") if request.target == "/2" else Reply(200, JSON, b"1")
        )

    each = {"each": "well", "get": "s:/{item.id}", "optional": True}
    answer = Bench({"well": {"get": "s:/well"}, "each": each}, script).ask()
    outcome = answer.outcomes["each"]
    assert (outcome.reason, outcome.failed, outcome.of) == ("internal", 1, 2)
    assert answer.value["each"] == [1, None]


def test_pages_that_came_before_it_count_where_they_may():
    def script(request):
        page = Reply(200, (*JSON, ("link", "</two>; rel=next")), b"[1]")
        return Played(0.01, page if request.target == "/one" else PAGED)

    pages = {"link": "next", "gather": 3, "partial": True}
    answer = Bench({"c": {"get": "moved:/one", "pages": pages, "optional": True}}, script).ask()
    assert answer.value["c"] == [1]
    assert answer.outcomes["c"].reason == "internal"


def test_what_waits_for_the_call_goes_on_as_after_any_failure():
    calls = {
        "bad": {"get": "s:/bad", "optional": True},
        "after": {"get": "s:/well", "after": "bad"},
        "needs": {"get": "s:/of/{bad.id}", "optional": True},
    }
    answer = Bench(calls, by_target(well=WELL, bad=Rude(200, JSON, b"1"))).ask()
    assert {name: each.kind for name, each in answer.outcomes.items()} == {
        "bad": "failed",
        "after": "ok",
        "needs": "failed",
    }


@pytest.mark.parametrize("call", ["get: s:/bad", "get: s:/bad, cache: {ttl: 5s}"])
def test_a_request_that_cannot_even_be_started_costs_no_place(call):
    def script(_):
        raise KeyError("S3CRET")

    bench = Bench({"bad": call_of(call, {"optional": True})}, script)
    for _ in range(5):
        assert bench.ask().outcomes["bad"].reason == "internal"
    assert len(bench.reported) == 5


def test_a_stale_reply_stands_in_for_it():
    replies = [Reply(200, JSON, b"1"), Rude(200, JSON, b"2")]
    rule = {"ttl": "1s", "stale_if_error": "1h"}
    bench = Bench(
        {"c": {"get": "s:/c", "cache": rule}},
        lambda _: Played(0.01, replies.pop(0)),
    )
    assert bench.ask().value == {"c": 1}
    bench.clock.advance(bench.clock.now() + 60)
    answer = bench.ask()
    assert answer.value == {"c": 1}
    assert (answer.outcomes["c"].kind, answer.outcomes["c"].reason) == ("stale", "internal")
