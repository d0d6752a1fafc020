"""The conductor: runs the plan of a view for one request, on the thread of that request.

1. `begin` starts the calls that wait for nothing.
2. `attend` handles completions and timers: the only place that blocks.
3. `_end` stores the result of a call, and starts the calls that have waited for it.
4. `fail` and `end` cancel what is under way, except writes that have been sent.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bff.engine import answer as answers
from bff.engine.answer import Answer, Failure, ViewRequest, bad_request, failure_of
from bff.engine.attempts import VIEW, Attempts
from bff.engine.budget import Budget
from bff.engine.disconnect import DisconnectCheck
from bff.engine.fanout import fan_out
from bff.engine.idempotence import keyed
from bff.engine.input_faults import InputFaults
from bff.engine.outcomes import (
    CallResult,
    RunningCall,
    Timing,
    attribute_to_dependencies,
    fail_call,
    fail_unsent_call,
    outcome_of,
    with_freshness,
)
from bff.engine.pagination import begin_call
from bff.engine.prefill import Prepared, headers_of, prepare
from bff.engine.run_context import RunContext, credentials_for, store_credentials
from bff.engine.runtime import Runtime
from bff.engine.view_failure import FailureRules
from bff.errors import BffError, Cancelled, InternalError, TimedOut
from bff.model.exchange import Deadline, Headers, Outcome, OutcomeKind
from bff.observe.boundary import without_frames
from bff.plan.expression import COMPUTED, truthy
from bff.plan.order import Node
from bff.plan.plan import Plan
from bff.upstream.exchange import Completion, Exchange, Mailbox

_INTERNAL: Final = 500


def conduct(
    plan: Plan,
    request: ViewRequest,
    deadline: Deadline,
    runtime: Runtime,
    exchange: Exchange | None = None,
) -> Answer:
    """Run a plan for a request, up to the deadline; a batch has an `exchange` of its own."""
    run = Run(plan, request, deadline, runtime, runtime.clock.mailbox(), exchange)
    try:
        run.begin()
        run.attend(lambda: run.done)
    finally:
        run.end()
    return run.answer()


class Run:
    """One run of a plan: its calls, their values and outcomes, and what they wait for."""

    def __init__(
        self,
        plan: Plan,
        request: ViewRequest,
        deadline: Deadline,
        runtime: Runtime,
        mailbox: Mailbox,
        exchange: Exchange | None = None,
    ) -> None:
        clock = runtime.clock
        self.plan = plan
        self.request = request
        self.deadline = deadline
        self.nodes: dict[str, Node] = dict(plan.nodes)
        self.values = {**request.scope, COMPUTED: {}} if plan.values else dict(request.scope)
        self.outcomes: dict[str, Outcome] = {}
        self.failure: Failure | None = None
        self._attempts = Attempts(exchange or runtime.exchange, runtime.effects, clock, mailbox)
        self.context = RunContext(
            runtime=runtime,
            attempts=self._attempts,
            principal=request.principal,
            budget=Budget(plan.view.max_calls, plan.view.max_bytes),
            lease=runtime.memory.lease(),
        )
        self._clock = clock
        self._begun = clock.now()
        self._awaited = {name: len(awaited) for name, awaited in plan.awaits.items()}
        self.waiting: Mapping[str, Sequence[str]] = plan.dependents
        self._failure_rules = FailureRules(plan)
        self._sent: Counter[tuple[str, str]] = Counter()
        self._running: dict[str, RunningCall] = {}
        self._prepared: dict[str, Prepared] = {}

    @property
    def done(self) -> bool:
        """Whether every call has its outcome."""
        return len(self.outcomes) == len(self.nodes)

    @property
    def next_timer(self) -> float:
        """When `tick` has to be called next, on the conductor's clock."""
        due = self._attempts.next_timer()
        return self.deadline.at if due is None else due

    def begin(self) -> None:
        """Start to obtain credentials, and start the calls that wait for nothing."""
        self._check_failure_rules()
        self.prepare(self.nodes)
        if self.failure:
            return
        for name, service in self.plan.credentials.items():
            effect = credentials_for(service, self.request.principal)
            self._attempts.obtain(effect, self.deadline, VIEW, partial(self._obtained, name))
        if self.request.gone and self.plan.changes_nothing:
            gone, clock = self.request.gone, self._clock
            DisconnectCheck(self._attempts, clock, gone, self.fail).begin()
        for name in [name for name, awaited in self._awaited.items() if awaited == 0]:
            self._start(self.nodes[name])

    def attend(self, until: Callable[[], bool]) -> None:
        """Handle completions and timers until a condition holds: the only place that blocks."""
        self._attempts.attend(self.deadline, until)

    def prepare(self, names: Iterable[str]) -> None:
        """Fill the parts of calls that depend on the request alone; invalid values are a 400."""
        early = {name: self.plan.early[name] for name in names if name in self.plan.early}
        if self.failure or not early:
            return
        faults = InputFaults(self.plan.view)
        self._prepared |= prepare(early, self.values, self.request.headers, faults)
        if faults.errors:
            self.fail(bad_request(faults.errors))

    def receive(self, completion: Completion) -> None:
        """Handle the completion of an attempt; that of a cancelled one is ignored."""
        self._attempts.receive(completion)

    def tick(self) -> None:
        """Handle the timers that are due, and end the attempts that have timed out."""
        self._attempts.tick()

    def fail(self, failure: Failure) -> None:
        """Fail the view: cancel the calls under way, and start no more."""
        self.failure = self.failure or failure
        self.give_up()

    def give_up(self) -> None:
        """Cancel the calls that have not ended, except writes that have been sent."""
        self._attempts.give_up()
        if self.done:
            return
        for name in self.nodes:
            if name not in self.outcomes:
                call = self._running.get(name)
                if call and call.left and not call.node.compiled.call.safe:
                    continue
                kind: OutcomeKind = "failed" if call and self.failure else "skipped"
                timing = self._timing(call.started if call else None)
                self.outcomes[name] = Outcome(
                    kind, Cancelled.reason, started=timing.started, took=timing.took
                )

    def end(self) -> None:
        """Cancel what is under way, and wait until writes that have been sent have ended."""
        self.give_up()
        self._attempts.attend(self.deadline, lambda: not self._attempts.under_way)

    def answer(self) -> Answer:
        """The shaped answer, or the failure."""
        outcomes = {name: self.outcomes[name] for name in self.nodes}
        outcomes |= self._failure_rules.outcomes
        tags = answers.invalidated(self.plan, self.values, outcomes)
        if self.failure:
            return Answer(None, outcomes, failure=self.failure, invalidates=tags)
        try:
            answer = answers.answer_of(self.plan, self.values, outcomes, self.context.replies)
        except Exception as error:  # noqa: BLE001 - reported, and answered 500
            self.context.runtime.boundary.caught(error, "answer", id_=self.request.id)
            answer = Answer(None, outcomes, failure=Failure(_INTERNAL))
        return replace(answer, invalidates=tags, lease=self.context.lease)

    def scope(self, _node: Node) -> Mapping[str, Any]:
        """The values that a call is filled with."""
        return self.values  # `PythonViewRun` adds values to some calls

    def _start(self, node: Node) -> None:
        """Start a call all of whose predecessors have ended; it may end at once."""
        if self._attempts.over:
            return
        try:
            if self._skips(node):
                return
            origin = self.request.origin(self.plan, node.compiled)
            prepared = self._prepared.get(node.compiled.name)
            credentials = self.context.credentials.get(node.compiled.service.name, ())
            headers = headers_of(node.compiled, prepared, self.request.headers, credentials)
            fan = fan_out(node.compiled, self.scope(node), headers, origin, prepared)
            fan = keyed(fan, node.compiled, self._sent, self.request.key)
            self.context.budget.send(len(fan.units))
        except BffError as error:
            attribute_to_dependencies([error], node.needs, self.outcomes)
            self._end(node, fail_unsent_call(node.compiled, self.scope(node), error))
            return
        except Exception as error:  # noqa: BLE001 - reported, and fails the call
            self._end(node, fail_call(node.compiled, self._caught(error, node), Timing()))
            return
        if fan.failed:
            attribute_to_dependencies(fan.failed.values(), node.needs, self.outcomes)
        now = self._clock.now()
        ends = Deadline(min(now + node.compiled.timeout, self.deadline.at))
        call = RunningCall(node, fan, [None] * len(fan.units), len(fan.units), now, ends)
        self._running[node.name] = call
        if not fan.units:
            self._finish(call)
        policy = self.plan.caching.calls.get(node.compiled.name)
        scope, cursors = self.scope(node), self.request.cursors
        begin_call(policy, self.context, self, call, scope, cursors)

    def _skips(self, node: Node) -> bool:
        """End a call that has to be skipped; returns whether it was. Raises BffError."""
        if any(self.outcomes[name].kind == "skipped" for name in node.needs):
            self._end(node, CallResult(None, Outcome("skipped", "dependency")))
            return True
        if self.deadline.left(self._clock.now()) <= 0:
            raise TimedOut("the deadline of the view passed before it could start")
        when = node.compiled.when
        if when and not truthy(when.value(self.scope(node))):
            self._end(node, CallResult(None, Outcome("skipped", "when")))
            return True
        return False

    def _obtained(self, name: str, result: Headers | BffError) -> None:
        """Credentials were obtained, or not: start the calls that wait for them."""
        if not store_credentials(self.context, self, name.removeprefix("@"), result):
            self._release(name)

    def unauthorized(self, error: BffError) -> None:
        """Fail the view: the client has to sign in again."""
        self.fail(failure_of(error, error.reason))

    def ended(self, call: RunningCall, index: int, result: Any) -> None:
        """A request of a call has ended with a value or an error."""
        call.results[index] = without_frames(result)
        call.left -= 1
        if call.left == 0:
            self._finish(call)

    def _finish(self, call: RunningCall) -> None:
        compiled, timing = call.node.compiled, self._timing(call.started)
        if self._attempts.over and all(isinstance(result, Cancelled) for result in call.results):
            return  # no request was sent: `give_up` sets the outcome
        try:
            result = with_freshness(outcome_of(compiled, call.fan, call.results, timing), call)
        except Exception as error:  # noqa: BLE001 - reported, and fails the call
            result = fail_call(compiled, self._caught(error, call.node), timing)
        if result.outcome.kind not in {"ok", "stale"}:
            self.context.replies.pop(compiled.name, None)
        self._end(call.node, result)

    def _caught(self, error: Exception, node: Node) -> InternalError:
        origin = self.request.origin(self.plan, node.compiled)
        return self.context.runtime.boundary.caught(error, "call", origin)

    def _end(self, node: Node, result: CallResult) -> None:
        """Store the result of a call; then fail the view, or start the calls that waited for it."""
        self.values[node.name] = result.value
        self.outcomes[node.name] = result.outcome
        if self._attempts.over:
            return
        if result.error:
            self.fail(failure_of(result.error, result.outcome.reason, node.compiled))
        else:
            self._check_failure_rules()
        self._release(node.name)

    def _check_failure_rules(self) -> None:
        """Fail the view if a refusal applies, or all of its `require_any` calls failed."""
        failure = self._failure_rules.evaluate(self.values, self.outcomes)
        if failure:
            self.fail(failure)

    def _release(self, name: str) -> None:
        """Start the calls that have awaited only this call, or these credentials."""
        for waiting in self.waiting.get(name, ()):
            self._awaited[waiting] -= 1
            if self._awaited[waiting] == 0:
                self._start(self.nodes[waiting])

    def _timing(self, started: float | None) -> Timing:
        now, begun = self._clock.now(), self._begun
        return Timing() if started is None else Timing(started - begun, now - started)
