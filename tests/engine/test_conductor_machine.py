"""The conductor as a state machine: whatever arrives, in whatever order, it keeps its promises."""

import gc
from dataclasses import replace
from typing import Any

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bff.dev.recordings.virtual import VirtualClock
from bff.engine.answer import Answer
from bff.engine.conductor import Run, conduct
from bff.engine.runtime import Runtime
from bff.errors import BadReply, MemoryReached, TimedOut, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.observe.boundary import without_frames
from bff.plan.plan import Plan
from bff.upstream.exchange import Completion
from bff.upstream.memory import Memory
from tests.examples import examples
from tests.random_plans import CAREFUL, asked, calls, guards, planned, reply, value_for
from tests.simulation import Played, SimulatedEffects, SimulatedExchange, Started

DEADLINE = 1.0
QUICK = settings(
    max_examples=examples(300),
    stateful_step_count=25,
    deadline=None,
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow],
)
FAILURES = (
    TimedOut("late"),
    Unreachable("gone"),
    Unreachable("refused", "connect"),
    Unreachable("closed", "reset"),
    BadReply("html"),
)
LIMITS = {"plain": 2, "slow": 3}


# -- any interleaving ------------------------------------------------------------------------


class Conductor(RuleBasedStateMachine):
    """A run whose every completion and every moment hypothesis chooses."""

    @initialize(declared=calls())
    def begin(self, declared: dict[str, Any]) -> None:
        self.plan = planned(declared, CAREFUL)
        self.clock = VirtualClock()
        self.exchange = SimulatedExchange(self.clock)
        self.effects = SimulatedEffects(self.clock, latency=None)
        self.completed: set[int] = set()
        self.refused: set[str] = set()
        self.seen: dict[str, Any] = {}
        self.guards = guards(self.clock, CAREFUL)
        self.mailbox = self.clock.mailbox()
        self.run = Run(
            self.plan,
            asked(),
            Deadline(DEADLINE),
            Runtime(self.exchange, self.effects, self.clock, self.guards),
            self.mailbox,
        )
        self.run.begin()

    @property
    def started(self) -> list[Started]:
        return [*self.exchange.started, *self.effects.started]

    @property
    def out(self) -> list[Started]:
        over = self.completed
        return [
            each for each in self.started if each.cancelled is None and each.attempt not in over
        ]

    def complete(self, data: st.DataObject, result_of: Any) -> None:
        if not self.out:
            return
        handle = data.draw(st.sampled_from(self.out), label="which")
        self.completed.add(handle.attempt)
        what = handle.what
        is_request = isinstance(what, Request)
        result = result_of(what) if is_request else (("authorization", "secret"),)
        self.deliver(handle, result)

    def deliver(self, handle: Started, result: Any) -> None:
        """As a carrier does; a place that comes free may go to who waits for it."""
        handle.mailbox.put(Completion(handle.attempt, result))
        self.receive()

    def tick(self) -> None:
        self.run.tick()
        self.receive()

    def receive(self) -> None:
        while completion := self.mailbox.get(0.0):
            self.run.receive(completion)

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data())
    def answer_well(self, data: st.DataObject) -> None:
        self.complete(data, lambda request: reply(value_for(request)))

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data())
    def answer_null(self, data: st.DataObject) -> None:
        self.complete(data, lambda _: reply(None))

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data(), status=st.sampled_from([302, 404, 500, 503]))
    def answer_with_status(self, data: st.DataObject, status: int) -> None:
        self.complete(data, lambda _: reply({"error": 1}, status))

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data())
    def answer_elsewhere(self, data: st.DataObject) -> None:
        self.complete(data, lambda _: Reply(302, (("location", "/elsewhere"),), b""))

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data(), error=st.sampled_from(FAILURES))
    def fail(self, data: st.DataObject, error: Exception) -> None:
        self.complete(data, lambda _: error)

    @precondition(lambda self: not self.run.done)
    @rule(error=st.sampled_from(FAILURES), data=st.data())
    def refuse_credentials(self, error: Any, data: st.DataObject) -> None:
        waiting = [each for each in self.out if each in self.effects.started]
        if waiting:
            handle = data.draw(st.sampled_from(waiting), label="whose")
            self.completed.add(handle.attempt)
            if not handle.what.rejected:  # else the service was asked with the first ones
                self.refused.add(handle.what.service)
            self.deliver(handle, error)

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data(), by=st.floats(0, 0.5), moved=st.booleans())
    def wake_up_late(self, data: st.DataObject, by: float, *, moved: bool) -> None:
        """On a busy machine; a reply that has come meanwhile is found first."""
        self.clock.advance(self.run.next_timer + by)
        elsewhere = Reply(302, (("location", "/elsewhere"),), b"")
        self.complete(data, lambda request: elsewhere if moved else reply(value_for(request)))
        self.tick()

    @precondition(lambda self: self.started)
    @rule(data=st.data())
    def arrive_late_or_twice(self, data: st.DataObject) -> None:
        over = [each for each in self.started if each not in self.out]
        if over:
            before = dict(self.run.outcomes)
            handle = data.draw(st.sampled_from(over), label="which")
            self.deliver(handle, reply([]))
            assert self.run.outcomes == before

    @precondition(lambda self: not self.run.done)
    @rule(share=st.floats(0.01, 1.0))
    def pass_time(self, share: float) -> None:
        """Never past the next timer: the loop would have woken for it."""
        now = self.clock.now()
        self.clock.advance(now + (self.run.next_timer - now) * share)
        self.tick()

    @invariant()
    def outcomes_never_change(self) -> None:
        if hasattr(self, "run"):
            assert self.seen.items() <= self.run.outcomes.items()
            self.seen = dict(self.run.outcomes)
            assert self.seen.keys() <= self.plan.nodes.keys()

    @invariant()
    def nothing_is_past_its_time(self) -> None:
        if hasattr(self, "run"):
            assert not [each for each in self.started if each.at >= DEADLINE]
            assert all(each.deadline.at <= DEADLINE for each in self.started)
            assert self.run.done or self.run.next_timer <= DEADLINE
            assert not [each for each in self.out if each.deadline.at < self.clock.now()]

    @invariant()
    def nothing_is_sent_without_credentials(self) -> None:
        if hasattr(self, "run"):
            assert self.refused.isdisjoint(each.what.service for each in self.exchange.started)

    @invariant()
    def nothing_waits_for_nothing(self) -> None:
        if hasattr(self, "run"):
            assert self.run.done or self.out or self.run._attempts._under_way

    @invariant()
    def places_and_budgets_are_kept(self) -> None:
        if not hasattr(self, "run"):
            return
        for name, seen in self.guards.snapshot().items():
            out = [each for each in self.out if each in self.exchange.started]
            assert seen.in_flight == sum(each.what.service == name for each in out)
            assert seen.in_flight <= LIMITS.get(name, 32)
            assert seen.extra <= 3, "the floor: there are too few requests for more"
            if self.run.done:
                assert (seen.in_flight, seen.waiting, seen.extra) == (0, 0, 0)

    @invariant()
    def what_is_left_is_told_and_no_more(self) -> None:
        if hasattr(self, "run"):
            for each in self.exchange.started:
                if each.what.service == "slow":
                    left = int(dict(each.what.headers)["x-time-left"]) / 1000
                    assert each.at + left <= DEADLINE + 1e-9

    @invariant()
    def a_required_failure_ends_it(self) -> None:
        if not hasattr(self, "run"):
            return
        fatal = [name for name in self.run.outcomes if self._fatal(name)]
        assert bool(self.run.failure) == bool(fatal)
        if self.run.failure:
            assert self.run.done
            assert not self.out

    def _fatal(self, name: str) -> bool:
        outcome, call = self.run.outcomes[name], self.plan.nodes[name].compiled.call
        missed = outcome.kind == "skipped" and outcome.reason == "dependency" and outcome.detail
        failed = outcome.kind == "failed" and outcome.reason != "cancelled"
        return call.rung == "required" and bool(failed or missed)

    def teardown(self) -> None:
        if not hasattr(self, "run"):
            return
        while not self.run.done:
            assert self.run.next_timer <= DEADLINE
            self.clock.advance(self.run.next_timer)
            self.tick()
        assert not self.out
        assert not [each for each in self.started if each.at >= DEADLINE]
        answer = self.run.answer()
        assert [name for name in answer.outcomes if name != "refuse"] == list(self.plan.nodes)
        orjson.dumps(answer.value)


TestConductor = Conductor.TestCase
TestConductor.settings = QUICK


def test_a_redirect_that_comes_too_late_is_not_followed():
    clock = VirtualClock()
    exchange = SimulatedExchange(clock)
    plan = planned({"c0": {"get": "moving:/c0", "timeout": "400ms", "optional": True}})
    effects = SimulatedEffects(clock, latency=None)
    mailbox = clock.mailbox()
    run = Run(
        plan,
        asked(),
        Deadline(DEADLINE),
        Runtime(exchange, effects, clock, guards(clock)),
        mailbox,
    )
    run.begin()
    clock.advance(0.4)
    run.receive(Completion(1, Reply(302, (("location", "/elsewhere"),), b"")))
    assert len(exchange.started) == 1
    assert run.outcomes["c0"].reason == "timeout"


# -- the order of arrival ----------------------------------------------------------------------


def answered(
    plan: Plan, latencies: list[float], broken: set[str], memory: Memory | None = None
) -> Answer:
    """Run a plan; the n-th request started takes the n-th latency."""
    clock, memory = VirtualClock(), memory or Memory()
    numbers = iter(range(10_000))

    def script(request: Request) -> Played:
        after = latencies[next(numbers) % len(latencies)]
        name = request.target.split("/")[1].split("?")[0]
        if name in broken:
            return Played(after, reply(None, 500))
        return Played(after, leased(reply(value_for(request)), memory))

    exchange = SimulatedExchange(clock, script)
    effects = SimulatedEffects(clock, latencies[-1])
    runtime = Runtime(exchange, effects, clock, guards(clock), memory=memory)
    answer = conduct(plan, asked(), Deadline(DEADLINE), runtime)
    assert clock.now() <= DEADLINE
    return answer


def leased(reply: Reply, memory: Memory) -> Any:
    """As the pool gives it: with what its body takes of the memory."""
    lease = memory.lease()
    try:
        lease.add(len(reply.body))
    except MemoryReached as error:
        return without_frames(error)
    return replace(reply, lease=lease)


LATENCIES = st.lists(st.floats(0, 0.05), min_size=1, max_size=8)


@given(calls(), LATENCIES, LATENCIES, st.sets(st.sampled_from([f"c{n}" for n in range(6)])))
@settings(QUICK, max_examples=examples(200))
def test_the_order_of_arrival_changes_nothing(
    declared: dict[str, Any], one: list[float], other: list[float], broken: set[str]
):
    plan = planned(declared)
    first, second = answered(plan, one, broken), answered(plan, other, broken)
    assert bool(first.failure) == bool(second.failure)
    if not first.failure:  # of several failures, the first to come decides
        assert first.value == second.value
        kinds = [
            {name: (each.kind, each.reason, each.failed) for name, each in answer.outcomes.items()}
            for answer in (first, second)
        ]
        assert kinds[0] == kinds[1]


@given(calls(), st.lists(st.floats(0, 3), min_size=1, max_size=8))
@settings(QUICK, max_examples=examples(200))
def test_the_deadline_holds_whatever_services_take(declared: dict[str, Any], late: list[float]):
    plan = planned(declared)
    answer = answered(plan, late, set())
    assert list(answer.outcomes) == list(plan.nodes)


@given(
    calls(),
    st.lists(st.floats(0, 0.6), min_size=1, max_size=8),
    st.sets(st.sampled_from([f"c{n}" for n in range(6)])),
    st.sampled_from([300, 1000, 3000, 10**6]),
)
@settings(QUICK, max_examples=examples(200))
def test_all_memory_is_given_back(
    declared: dict[str, Any], latencies: list[float], broken: set[str], most: int
):
    """Whatever succeeds, fails, comes too late or has no room; without the garbage collector."""
    memory, plan = Memory(most), planned(declared)
    gc.disable()
    try:
        answer = answered(plan, latencies, broken, memory)
        assert 0 <= memory.taken <= most
        del answer
        assert memory.taken == 0
    finally:
        gc.enable()
