"""The conductor: runs one plan for one request on one thread, which blocks only on its mailbox.

`Run` holds the decisions and never waits; `conduct` is the loop that does.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bff.engine.answer import Answer, Asked, Failure, answer_of, failure_of, invalidated
from bff.engine.attempts import VIEW, Attempts
from bff.engine.budget import Budget
from bff.engine.compile import CompiledCall
from bff.engine.expression import truthy
from bff.engine.fanout import fan_out
from bff.engine.gather import begin_call
from bff.engine.idempotence import keyed
from bff.engine.machinery import Machinery
from bff.engine.means import Means, credentials_for, keep_credentials
from bff.engine.plan import Node, Plan
from bff.engine.settle import Running, Settled, Timing, aged, give_up, give_up_items, settle
from bff.engine.template import header_value
from bff.errors import BffError, Cancelled, GrantEnded, InternalError, TimedOut, Unfillable
from bff.model.exchange import Deadline, Headers, Outcome, OutcomeKind
from bff.observe.boundary import without_frames
from bff.upstream.exchange import Completion, Mailbox

_LOOK: Final = 0.25  # seconds between two looks for whether the client is still there
_INTERNAL: Final = 500
_CLOSED: Final = 499  # nobody gets it; the log has it, as nginx's would


def conduct(plan: Plan, asked: Asked, deadline: Deadline, machinery: Machinery) -> Answer:
    """Run `plan` and shape what it brings; returns by the deadline, whatever services do."""
    clock = machinery.clock
    mailbox = clock.mailbox()
    run = Run(plan, asked, deadline, machinery, mailbox)
    try:
        run.begin()
        while not run.done:
            completion = mailbox.get(max(0.0, run.next_timer - clock.now()))
            if completion is None:
                run.tick()
            else:
                run.receive(completion)
    finally:
        run.give_up()
    return run.answer()


class Run:
    """The state of one request: what is out, what is in, and what has become ready."""

    def __init__(
        self, plan: Plan, asked: Asked, deadline: Deadline, machinery: Machinery, mailbox: Mailbox
    ) -> None:
        clock = machinery.clock
        self.plan = plan
        self._keeper = machinery.keeper
        self.asked = asked
        self.deadline = deadline
        self.nodes: dict[str, Node] = dict(plan.nodes)
        self.values = dict(asked.scope)
        self.outcomes: dict[str, Outcome] = {}
        self.failure: Failure | None = None
        self._attempts = Attempts(machinery.exchange, machinery.effects, clock, mailbox)
        self.means = Means(
            attempts=self._attempts,
            clock=clock,
            guards=machinery.guards,
            principal=asked.principal,
            budget=Budget(plan.view.max_calls, plan.view.max_bytes),
            lease=machinery.memory.lease(),
            boundary=machinery.boundary,
        )
        self._clock = clock
        self._begun = clock.now()
        self._awaited = {name: len(awaited) for name, awaited in plan.awaits.items()}
        self.waiting: Mapping[str, Sequence[str]] = plan.dependents
        self._refusals = list(plan.refusals)
        self._sent: Counter[tuple[str, str]] = Counter()
        self._running: dict[str, Running] = {}
        self._harmless: set[str] = set()  # skipped by a `when`, their own or an earlier one

    @property
    def done(self) -> bool:
        """Whether every call has its outcome."""
        return len(self.outcomes) == len(self.nodes)

    @property
    def next_timer(self) -> float:
        """The moment at which `tick` has something to do."""
        due = self._attempts.next_timer()
        return self.deadline.at if due is None else due

    def begin(self) -> None:
        """Start what waits for nothing."""
        self._judge()
        if self.failure:
            return
        for name, service in self.plan.credentials.items():
            effect = credentials_for(service, self.asked.principal)
            self._attempts.obtain(effect, self.deadline, VIEW, partial(self._obtained, name))
        if self.asked.gone and self.plan.changes_nothing:
            self._look_again()
        for name in [name for name, awaited in self._awaited.items() if awaited == 0]:
            self._start(self.nodes[name])

    def receive(self, completion: Completion) -> None:
        """Take in how an attempt ended; one that nobody waits for any more is ignored."""
        self._attempts.receive(completion)

    def tick(self) -> None:
        """Act on the timers that are due: whatever is still out then has timed out."""
        self._attempts.tick()

    def fail(self, failure: Failure) -> None:
        """The view has failed: give up what is out, and never start the rest."""
        self.failure = failure
        self.give_up()

    def give_up(self) -> None:
        """Nobody waits for what has not ended."""
        self._attempts.give_up()
        if self.done:
            return
        for name in self.nodes:
            if name not in self.outcomes:
                out = self._running.get(name)
                kind: OutcomeKind = "failed" if out and self.failure else "skipped"
                timing = self._timing(out.started if out else None)
                self.outcomes[name] = Outcome(
                    kind, Cancelled.reason, started=timing.started, took=timing.took
                )

    def answer(self) -> Answer:
        """The shaped answer, or the failure."""
        outcomes = {name: self.outcomes[name] for name in self.nodes}
        tags = invalidated(self.plan, self.values, outcomes)
        if self.failure:
            return Answer(None, outcomes, failure=self.failure, invalidates=tags)
        try:
            answer = answer_of(self.plan, self.values, outcomes, self.means.replies)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self.means.boundary.caught(error, "answer", id_=self.asked.id)
            answer = Answer(None, outcomes, failure=Failure(_INTERNAL))
        return replace(answer, invalidates=tags, lease=self.means.lease)

    def scope(self, _node: Node) -> Mapping[str, Any]:
        """The values that a call is filled with."""
        return self.values  # the same for all; a view in Python gives some calls more

    def _start(self, node: Node) -> None:
        if self.failure:
            return
        try:
            if self._skips(node):
                return
            origin = self.asked.origin(self.plan, node.compiled)
            fan = fan_out(node.compiled, self.scope(node), self._headers(node.compiled), origin)
            fan = keyed(fan, node.compiled, self._sent, self.asked.key)
            self.means.budget.send(len(fan.units))
        except Unfillable as fault:
            if any(self.outcomes[name].kind == "failed" for name in node.needs):
                self._skip(node, "dependency", fault)
            else:
                self._end(node, give_up_items(node.compiled, self.scope(node), fault))
            return
        except BffError as error:
            self._end(node, give_up_items(node.compiled, self.scope(node), error))
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._end(node, give_up(node.compiled, self._caught(error, node), Timing()))
            return
        now = self._clock.now()
        ends = Deadline(min(now + node.compiled.timeout, self.deadline.at))
        call = Running(node, fan, [None] * len(fan.units), len(fan.units), now, ends)
        self._running[node.name] = call
        if not fan.units:
            self._finish(call)
        kept = self.plan.keeping.calls.get(node.compiled.name)
        scope, cursors = self.scope(node), self.asked.cursors
        begin_call(self._keeper, kept, self.means, self, call, scope, cursors)

    def _skips(self, node: Node) -> bool:
        """Whether the call is not made; what stands in its way may also be an error.

        Raises:
            BffError: the deadline has come, there are no credentials, `when` is not computable.
        """
        skipped = [name for name in node.needs if self.outcomes[name].kind == "skipped"]
        if skipped:
            harmless = self._harmless.issuperset(skipped)
            self._skip(node, "dependency", None if harmless else Unfillable("an input is missing"))
            return True
        if self.deadline.left(self._clock.now()) <= 0:
            raise TimedOut("the view's deadline came before it could start")
        when = node.compiled.when
        if when and not truthy(when.value(self.scope(node))):
            self._skip(node, "when", None)
            return True
        return False

    def _headers(self, call: CompiledCall) -> Headers:
        forwarded = tuple(
            (name, header_value(self.asked.headers[name], name))
            for name in call.forward
            if name in self.asked.headers
        )
        credentials = self.means.credentials.get(call.service.name, ())
        if isinstance(credentials, BffError):
            raise credentials
        return forwarded + call.service.secret + credentials

    def _obtained(self, name: str, result: Headers | BffError) -> None:
        """The credentials of a hidden node are there, or are not to be had."""
        if not keep_credentials(self.means, self, name.removeprefix("@"), result):
            self._release(name)

    def _look_again(self) -> None:
        self._attempts.wake(self._clock.now() + _LOOK, VIEW, self._look)

    def _look(self, _due: None) -> None:
        """Do no more for a client that has gone away."""
        if self.asked.gone and self.asked.gone():
            self.fail(Failure(_CLOSED, "Client Closed Request"))
        else:
            self._look_again()

    def unauthorized(self, error: BffError) -> None:
        """Whoever asks has to sign in again: no call of theirs is worth an answer."""
        self.fail(Failure(GrantEnded.status, reason=error.reason, detail="sign in first"))

    def ended(self, call: Running, index: int, result: Any) -> None:
        """A request of a call has come to a value or an error."""
        call.results[index] = without_frames(result)
        call.left -= 1
        if call.left == 0:
            self._finish(call)

    def _finish(self, call: Running) -> None:
        compiled, timing = call.node.compiled, self._timing(call.started)
        try:
            settled = aged(settle(compiled, call.fan, call.results, timing), call)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            settled = give_up(compiled, self._caught(error, call.node), timing)
        if settled.outcome.kind not in {"ok", "stale"}:
            self.means.replies.pop(compiled.name, None)
        self._end(call.node, settled)

    def _caught(self, error: Exception, node: Node) -> InternalError:
        origin = self.asked.origin(self.plan, node.compiled)
        return self.means.boundary.caught(error, "call", origin)

    def _skip(self, node: Node, reason: str, missing: Unfillable | None) -> None:
        """The call is not made; where it is required and an input is `missing`, the view fails."""
        if missing is None:
            self._harmless.add(node.name)
        fatal = missing if node.compiled.call.rung == "required" else None
        outcome = Outcome("skipped", reason, detail=str(missing or ""))
        self._end(node, Settled(None, outcome, fatal))

    def _end(self, node: Node, settled: Settled) -> None:
        self.values[node.name] = settled.value
        self.outcomes[node.name] = settled.outcome
        if settled.error:
            self.fail(failure_of(node.compiled, settled.error, settled.outcome.reason))
        else:
            self._judge()
        self._release(node.name)

    def _judge(self) -> None:
        """Refuse the view where it says so, as soon as what that depends on is there."""
        for refusal in [each for each in self._refusals if each.needs <= self.outcomes.keys()]:
            self._refusals.remove(refusal)
            try:
                if truthy(refusal.when.value(self.values)):
                    self.fail(Failure(refusal.status, refusal.title))
            except Unfillable as fault:
                self.fail(Failure(fault.status, reason=fault.reason))
            if self.failure:
                return

    def _release(self, name: str) -> None:
        """Count down for what waits for a call or for credentials that are now there."""
        for waiting in self.waiting.get(name, ()):
            self._awaited[waiting] -= 1
            if self._awaited[waiting] == 0:
                self._start(self.nodes[waiting])

    def _timing(self, started: float | None) -> Timing:
        if started is None:
            return Timing()
        return Timing(started - self._begun, self._clock.now() - started)
