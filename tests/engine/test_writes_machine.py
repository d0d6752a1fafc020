"""Writes as a state machine: none is sent that may be forbidden yet, none that was sent is cut."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from bff.dev.recordings.virtual import VirtualClock
from bff.engine.answer import Failure
from bff.engine.conductor import Run
from bff.engine.runtime import Runtime
from bff.errors import GrantEnded
from bff.model.exchange import Deadline, Reply, Request
from bff.plan.plan import Plan
from bff.upstream.exchange import Mailbox
from tests.engine.test_conductor_machine import DEADLINE, QUICK, Conductor
from tests.examples import examples
from tests.random_plans import CAREFUL, asked, guards, reply, writing_plans
from tests.simulation import SimulatedEffects, SimulatedExchange, Started


class Connections(SimulatedExchange):
    """Of every third request nothing has been sent as long as it is out: it waits for a thread."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.run: Run | None = None
        self.wrong: list[str] = []  # raised here, it would leave the run half-way

    def start(
        self, request: Request, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> Started:
        assert self.run
        node = self.run.nodes[request.origin.call if request.origin else ""]
        if not node.compiled.call.safe:
            if self.run.failure:
                self.wrong.append(f"`{node.name}` was sent when the view had failed")
            missing = forbidding(self.run.plan, node.name) - self.run.outcomes.keys()
            if missing:
                self.wrong.append(f"`{node.name}` was sent, and {missing} may still forbid it")
        return super().start(request, deadline, attempt, mailbox)

    def has_sent(self, handle: Started) -> bool:
        return bool(self.started.index(handle) % 3)

    def withdraw(self, handle: Started) -> bool:
        return not self.has_sent(handle)


def forbidding(plan: Plan, write: str) -> set[str]:
    """The calls written before a write that may fail the view, and do not wait for the write."""
    view, names = plan.view, list(plan.nodes)
    named = {source.text for source in view.require_any}
    named |= {name for each in plan.refusals for name in each.needs}
    found = set()
    for name in names[: names.index(write)]:
        fatal = plan.nodes[name].compiled.call.rung == "required" or name in named
        if fatal and not _waits(plan, name, write):
            found.add(name)
    return found


def _waits(plan: Plan, name: str, other: str) -> bool:
    before = plan.nodes[name].waits_for & plan.nodes.keys()
    return other in before or any(_waits(plan, each, other) for each in before)


class Writes(Conductor):
    """The same promises, and those about writes, of views that change something."""

    @initialize(plan=writing_plans())
    def begin(self, plan: Plan) -> None:  # type: ignore[override] # other views, drawn otherwise
        self.plan = plan
        self.clock = VirtualClock()
        self.exchange = self.connections = Connections(self.clock)
        self.effects = SimulatedEffects(self.clock, latency=None)
        self.completed: set[int] = set()
        self.refused: set[str] = set()
        self.seen: dict[str, Any] = {}
        self.guards = guards(self.clock, CAREFUL)
        self.mailbox = self.clock.mailbox()
        runtime = Runtime(self.exchange, self.effects, self.clock, self.guards)
        self.run = Run(self.plan, asked(), Deadline(DEADLINE), runtime, self.mailbox)
        self.connections.run = self.run
        self.run.begin()

    @property
    def writes(self) -> list[Started]:
        """The requests of writes, as they were started."""
        nodes = self.plan.nodes
        return [
            each
            for each in self.exchange.started
            if isinstance(each.what, Request)
            and each.what.origin
            and not nodes[each.what.origin.call].compiled.call.safe
        ]

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data())
    def answer_otherwise(self, data: st.DataObject) -> None:
        """As some refusals want it."""
        self.complete(data, lambda _: reply({"id": 1, "flag": False, "items": []}))

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data())
    def reject_the_token(self, data: st.DataObject) -> None:
        self.complete(data, lambda _: Reply(401, (), b""))

    @precondition(lambda self: not self.run.done)
    @rule(data=st.data())
    def end_the_grant(self, data: st.DataObject) -> None:
        waiting = [each for each in self.out if each in self.effects.started]
        if waiting:
            handle = data.draw(st.sampled_from(waiting), label="whose")
            self.completed.add(handle.attempt)
            self.deliver(handle, GrantEnded("the session is over"))

    @precondition(lambda self: not self.run.done)
    @rule()
    def fail_for_another_reason(self) -> None:
        self.run.fail(Failure(409, "Not now"))

    @invariant()
    def no_write_is_sent_that_may_still_be_forbidden(self) -> None:
        if hasattr(self, "run"):
            assert not self.connections.wrong

    @invariant()
    def no_write_that_was_sent_is_cut(self) -> None:
        for each in self.writes if hasattr(self, "run") else ():
            if each.cancelled is not None and self.connections.has_sent(each):
                assert each.cancelled >= each.deadline.at

    @invariant()
    def a_required_failure_ends_it(self) -> None:
        """But for the writes that have been sent."""
        if not hasattr(self, "run"):
            return
        if any(self._fatal(name) for name in self.run.outcomes):
            assert self.run.failure
        if self.run.failure:
            assert all(each in self.writes and self.connections.has_sent(each) for each in self.out)
            assert self.run.done == (not self.out)

    def teardown(self) -> None:
        super().teardown()
        for each in self.writes if hasattr(self, "run") else ():
            assert isinstance(each.what, Request)
            assert each.what.origin
            outcome = self.run.outcomes[each.what.origin.call]
            if self.connections.has_sent(each):
                assert outcome.started is not None
                one = not self.plan.nodes[each.what.origin.call].compiled.each
                assert not (one and outcome.reason == "cancelled"), "its end is told"


TestWrites = Writes.TestCase
TestWrites.settings = settings(QUICK, max_examples=examples(300))
