"""The conductor: runs one plan for one request on one thread, which blocks only on its mailbox.

`Run` holds the decisions and never waits; `conduct` is the loop that does.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bff.engine.answer import (
    Answer,
    Asked,
    Failure,
    answer_of,
    bad_request,
    failure_of,
    invalidated,
)
from bff.engine.attempts import Attempts
from bff.engine.blame import Blame
from bff.engine.budget import Budget
from bff.engine.compile import CompiledCall
from bff.engine.early import Prepared, forwarded_by, prepare
from bff.engine.expression import truthy
from bff.engine.fanout import fan_out
from bff.engine.gather import begin_call
from bff.engine.idempotence import keyed
from bff.engine.machinery import Machinery
from bff.engine.means import Means, credentials_for, keep_credentials
from bff.engine.order import Node
from bff.engine.plan import Plan
from bff.engine.settle import Running, Settled, Timing, aged, give_up_items, settle
from bff.errors import BffError, Cancelled, GrantEnded, TimedOut, Unfillable
from bff.model.exchange import Deadline, Headers, Outcome, OutcomeKind
from bff.upstream.exchange import Completion, Mailbox

_LOOK: Final = 0.25  # seconds between two looks for whether the client is still there
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
        )
        self._clock = clock
        self._begun = clock.now()
        self._awaited = {name: len(awaited) for name, awaited in plan.awaits.items()}
        self.waiting: Mapping[str, Sequence[str]] = plan.dependents
        self._refusals = list(plan.refusals)
        self._sent: Counter[tuple[str, str]] = Counter()
        self._running: dict[str, Running] = {}
        self._prepared: dict[str, Prepared] = {}

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
        self.prepare(self.nodes)
        if self.failure:
            return
        for name, service in self.plan.credentials.items():
            effect = credentials_for(service, self.asked.principal)
            self._attempts.obtain(effect, self.deadline, partial(self._obtained, name))
        if self.asked.gone and self.plan.changes_nothing:
            self._look_again()
        for name in [name for name, awaited in self._awaited.items() if awaited == 0]:
            self._start(self.nodes[name])

    def prepare(self, names: Iterable[str]) -> None:
        """Fill what of these calls can be filled before anything is sent."""
        early = {each: self.plan.early[each] for each in names if each in self.plan.early}
        if self.failure or not early:
            return
        blame = Blame(self.plan.view)
        self._prepared |= prepare(early, self.values, self.asked.headers, blame)
        if blame.errors:
            self.fail(bad_request(blame.errors))

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
        answer = answer_of(self.plan, self.values, outcomes, self.means.replies)
        return replace(answer, invalidates=tags) if tags else answer

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
            prepared = self._prepared.get(node.compiled.name)
            headers = self._headers(node.compiled, prepared)
            fan = fan_out(node.compiled, self.scope(node), headers, origin, prepared)
            fan = keyed(fan, node.compiled, self._sent, self.asked.key)
            self.means.budget.send(len(fan.units))
        except BffError as error:
            self._blame_inputs(node, [error])
            self._end(node, give_up_items(node.compiled, self.scope(node), error))
            return
        if fan.failed:
            self._blame_inputs(node, fan.failed.values())
        now = self._clock.now()
        ends = Deadline(min(now + node.compiled.timeout, self.deadline.at))
        call = Running(node, fan, [None] * len(fan.units), len(fan.units), now, ends)
        self._running[node.name] = call
        if not fan.units:
            self._finish(call)
        kept = self.plan.keeping.calls.get(node.compiled.name)
        scope, cursors = self.scope(node), self.asked.cursors
        begin_call(self._keeper, kept, self.means, self, call, scope, cursors)

    def _blame_inputs(self, node: Node, errors: Iterable[BffError]) -> None:
        """Requests that cannot be made, of a call whose inputs failed, are so for that reason."""
        if any(self.outcomes[name].kind in {"failed", "fallback"} for name in node.needs):
            for error in errors:
                if isinstance(error, Unfillable):
                    error.reason = "dependency"

    def _skips(self, node: Node) -> bool:
        """Whether the call is not made; what stands in its way may also be an error.

        Raises:
            BffError: the deadline has come, there are no credentials, `when` is not computable.
        """
        if any(self.outcomes[name].kind == "skipped" for name in node.needs):
            self._skip(node, "dependency")
            return True
        if self.deadline.left(self._clock.now()) <= 0:
            raise TimedOut("the view's deadline came before it could start")
        when = node.compiled.when
        if when and not truthy(when.value(self.scope(node))):
            self._skip(node, "when")
            return True
        return False

    def _headers(self, call: CompiledCall, prepared: Prepared | None) -> Headers:
        forwarded = prepared.forwarded if prepared else None
        if forwarded is None:
            forwarded = forwarded_by(call, self.asked.headers)
        credentials = self.means.credentials.get(call.service.name, ())
        if isinstance(credentials, BffError):
            raise credentials
        return forwarded + call.service.secret + credentials

    def _obtained(self, name: str, result: Headers | BffError) -> None:
        """The credentials of a hidden node are there, or are not to be had."""
        if not keep_credentials(self.means, self, name.removeprefix("@"), result):
            self._release(name)

    def _look_again(self) -> None:
        self._attempts.wake(self._clock.now() + _LOOK, self._look)

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
        call.results[index] = result
        call.left -= 1
        if call.left == 0:
            self._finish(call)

    def _finish(self, call: Running) -> None:
        compiled = call.node.compiled
        settled = aged(settle(compiled, call.fan, call.results, self._timing(call.started)), call)
        if settled.outcome.kind not in {"ok", "stale"}:
            self.means.replies.pop(compiled.name, None)
        self._end(call.node, settled)

    def _skip(self, node: Node, reason: str) -> None:
        """The call is not made, by its own `when` or that of a call that it needs."""
        self._end(node, Settled(None, Outcome("skipped", reason)))

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
