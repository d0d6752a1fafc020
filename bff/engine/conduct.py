"""The conductor: runs one plan for one request, on one thread, blocking on nothing but its mailbox.

`Run` holds the decisions and never waits; `conduct` is the loop that does.
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from bff.engine.answer import Answer, Asked, Failure
from bff.engine.compile import CompiledCall
from bff.engine.expression import truthy
from bff.engine.fanout import FanOut, fan_out
from bff.engine.plan import Node, Plan
from bff.engine.reading import read_reply
from bff.engine.settle import Settled, Timing, give_up, settle
from bff.errors import BffError, Cancelled, TimedOut, TooMany, Unfillable
from bff.model.exchange import Deadline, Headers, Outcome, OutcomeKind, Reply
from bff.upstream.exchange import Clock, Completion, Credentials, Effects, Exchange, Mailbox


@dataclass(slots=True)
class _Running:
    """A call whose requests are out."""

    node: Node
    fan: FanOut
    results: list[Any]
    left: int
    started: float
    respond: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Attempt:
    """Something under way: one request of a call, or (without a call) a service's credentials."""

    ticket: Any
    call: _Running | None = None
    unit: int = 0
    service: str = ""


def conduct(
    plan: Plan, asked: Asked, deadline: Deadline, exchange: Exchange, effects: Effects, clock: Clock
) -> Answer:
    """Run `plan` and shape what it brings; returns by the deadline, whatever services do."""
    mailbox = clock.mailbox()
    run = Run(plan, asked, deadline, exchange, effects, clock, mailbox)
    run.begin()
    while not run.done:
        completion = mailbox.get(max(0.0, run.next_timer - clock.now()))
        if completion is None:
            run.tick()
        else:
            run.receive(completion)
    return run.answer()


class Run:
    """The state of one request: what is out, what is in, and what has become ready."""

    def __init__(
        self,
        plan: Plan,
        asked: Asked,
        deadline: Deadline,
        exchange: Exchange,
        effects: Effects,
        clock: Clock,
        mailbox: Mailbox,
    ) -> None:
        self.plan = plan
        self.asked = asked
        self.deadline = deadline
        self.outcomes: dict[str, Outcome] = {}
        self.failure: Failure | None = None
        self._exchange, self._effects = exchange, effects
        self._clock, self._mailbox = clock, mailbox
        self._begun = clock.now()
        self._scope = dict(asked.scope)
        self._awaited = {
            name: len(node.waits_for) + (node.compiled.service.name in plan.credentials)
            for name, node in plan.nodes.items()
        }
        self._credentials: dict[str, Headers | BffError] = {}
        self._harmless: set[str] = set()  # skipped by a `when`, their own or an earlier one
        self._attempts: dict[int, _Attempt] = {}
        self._timers: list[tuple[float, int]] = []
        self._numbers = 0
        self._requests = 0
        self._bytes = 0
        self._respond: dict[str, dict[str, str]] = {}

    @property
    def done(self) -> bool:
        """Whether every call has its outcome."""
        return len(self.outcomes) == len(self.plan.nodes)

    @property
    def next_timer(self) -> float:
        """The moment of the next timer."""
        while self._timers and self._timers[0][1] not in self._attempts:
            heappop(self._timers)
        return self._timers[0][0] if self._timers else self.deadline.at

    def begin(self) -> None:
        """Start what waits for nothing."""
        for service in sorted(self.plan.credentials):
            number = self._number(self.deadline.at)
            attempt = self._attempts[number] = _Attempt(None, service=service)
            effect = Credentials(service, self.asked.principal)
            attempt.ticket = self._effects.start(effect, self.deadline, number, self._mailbox)
        for name in [name for name, awaited in self._awaited.items() if awaited == 0]:
            self._start(self.plan.nodes[name])

    def receive(self, completion: Completion) -> None:
        """Take in how an attempt ended; one that nobody waits for any more is ignored."""
        attempt = self._attempts.pop(completion.attempt, None)
        if attempt is None:
            return
        if attempt.call is None:
            self._received_credentials(attempt.service, completion.result)
        else:
            self._received_reply(attempt.call, attempt.unit, completion.result)

    def tick(self) -> None:
        """Act on the timers that are due: whatever is still out then has timed out."""
        now = self._clock.now()
        while self._timers and self._timers[0][0] <= now:
            number = heappop(self._timers)[1]
            attempt = self._attempts.get(number)
            if attempt is not None:
                self._cancel(attempt)
                self.receive(Completion(number, TimedOut("no reply in time")))

    def answer(self) -> Answer:
        """The shaped answer, or the failure."""
        ordered = {name: self.outcomes[name] for name in self.plan.nodes}
        if self.failure:
            return Answer(None, ordered, failure=self.failure)
        value, faults = self.plan.shape.fill(self._scope)
        if faults:
            kind: OutcomeKind = "failed"
            count, detail = len(faults), "; ".join(faults)
            of = len(self.plan.shape.leaves)
            ordered["shape"] = Outcome(kind, "shape", failed=count, of=of, detail=detail)
        respond: dict[str, str] = {}
        for name in self.plan.nodes:
            for header, text in self._respond.get(name, {}).items():
                respond.setdefault(header, text)
        return Answer(value, ordered, tuple(respond.items()), faults=tuple(faults))

    # -- one call -------------------------------------------------------------------------

    def _start(self, node: Node) -> None:
        if self.failure:
            return
        try:
            if self._skips(node):
                return
            fan = fan_out(node.compiled, self._scope, self._headers(node.compiled))
            self._requests += len(fan.units)
            if self._requests > self.plan.view.max_calls:
                raise TooMany(f"the view allows {self.plan.view.max_calls} calls")
        except Unfillable as fault:
            if any(self.outcomes[name].kind == "failed" for name in node.needs):
                self._skip(node, "dependency", fault)
            else:
                self._end(node, give_up(node.compiled, fault, Timing()))
            return
        except BffError as error:
            self._end(node, give_up(node.compiled, error, Timing()))
            return
        now = self._clock.now()
        call = _Running(node, fan, [None] * len(fan.units), len(fan.units), now)
        if not fan.units:
            self._finish(call)
            return
        ends = Deadline(min(now + node.compiled.timeout, self.deadline.at))
        for index, unit in enumerate(fan.units):
            number = self._number(ends.at)
            attempt = self._attempts[number] = _Attempt(None, call, index)
            attempt.ticket = self._exchange.start(unit.request, ends, number, self._mailbox)

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
        if when and not truthy(when.value(self._scope)):
            self._skip(node, "when", None)
            return True
        return False

    def _headers(self, call: CompiledCall) -> Headers:
        forwarded = tuple(
            (name, self.asked.headers[name]) for name in call.forward if name in self.asked.headers
        )
        credentials = self._credentials.get(call.service.name, ())
        if isinstance(credentials, BffError):
            raise credentials
        return forwarded + credentials

    def _received_credentials(self, service: str, result: Any) -> None:
        self._credentials[service] = result
        for name, node in self.plan.nodes.items():
            if node.compiled.service.name == service:
                self._release(name)

    def _received_reply(self, call: _Running, index: int, result: Any) -> None:
        if isinstance(result, Reply):
            self._bytes += len(result.body)
            try:
                if self._bytes > self.plan.view.max_bytes:
                    raise TooMany("the replies are larger than the view allows")
                for name in call.node.compiled.respond:
                    value = result.header(name)
                    if value is not None:
                        call.respond.setdefault(name, value)
                result = read_reply(call.node.compiled, result)
            except BffError as error:
                result = error
        call.results[index] = result
        call.left -= 1
        if call.left == 0:
            self._finish(call)

    def _finish(self, call: _Running) -> None:
        settled = settle(call.node.compiled, call.fan, call.results, self._timing(call.started))
        if settled.outcome.kind == "ok":
            self._respond[call.node.name] = call.respond
        self._end(call.node, settled)

    def _skip(self, node: Node, reason: str, missing: Unfillable | None) -> None:
        """The call is not made; where it is required and an input is `missing`, the view fails."""
        if missing is None:
            self._harmless.add(node.name)
        fatal = missing if node.compiled.call.rung == "required" else None
        outcome = Outcome("skipped", reason, detail=str(missing or ""))
        self._end(node, Settled(None, outcome, fatal))

    def _end(self, node: Node, settled: Settled) -> None:
        self._scope[node.name] = settled.value
        self.outcomes[node.name] = settled.outcome
        if settled.error:
            self.failure = Failure(node.compiled, settled.error, settled.outcome)
            self._abandon()
        for name in self.plan.dependents[node.name]:
            self._release(name)

    def _release(self, name: str) -> None:
        self._awaited[name] -= 1
        if self._awaited[name] == 0:
            self._start(self.plan.nodes[name])

    def _abandon(self) -> None:
        """The view has failed: give up what is out, and never start the rest."""
        attempts, self._attempts = self._attempts, {}
        out = {}
        for attempt in attempts.values():
            self._cancel(attempt)
            if attempt.call:
                out[attempt.call.node.name] = attempt.call.started
        for name in self.plan.nodes:
            if name not in self.outcomes:
                kind: OutcomeKind = "failed" if name in out else "skipped"
                timing = self._timing(out.get(name))
                self.outcomes[name] = Outcome(
                    kind, Cancelled.reason, started=timing.started, took=timing.took
                )

    # -- small things ---------------------------------------------------------------------

    def _number(self, at: float) -> int:
        self._numbers += 1
        heappush(self._timers, (at, self._numbers))
        return self._numbers

    def _cancel(self, attempt: _Attempt) -> None:
        carrier = self._exchange if attempt.call else self._effects
        carrier.cancel(attempt.ticket)

    def _timing(self, started: float | None) -> Timing:
        if started is None:
            return Timing()
        return Timing(started - self._begun, self._clock.now() - started)
