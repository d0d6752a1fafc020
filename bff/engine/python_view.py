"""Views written in Python: ordinary code that starts calls and waits for some of them.

The code runs on the conductor's thread. Calls, deadlines, failure rules and outcomes are those of
any view. The conductor handles completions and timers only while the code waits: a timer that is
due during a long computation is handled after it.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from bff.engine.answer import Answer, Failure, ViewRequest, headers_of, invalidated
from bff.engine.conductor import Run
from bff.engine.runtime import Runtime
from bff.errors import ViewFailed
from bff.model.exchange import Deadline, Outcome
from bff.plan.order import Node, may_fail, waited_for
from bff.plan.plan import Plan
from bff.plan.python_function import given_only
from bff.upstream.exchange import DetachedMailbox, Exchange

_REFUSAL_STATUSES: Final = range(400, 500)
_BY_SEVERITY: Final = ("failed", "fallback", "stale", "skipped", "ok")


class Pending:
    """A call that was started: its value and outcome, like a future."""

    def __init__(self, ask: "Ask", name: str) -> None:
        self._ask, self._name = ask, name

    @property
    def value(self) -> Any:
        """Its value; waits until the call has ended, which it has by the deadline.

        Raises:
            ViewFailed: a required call has failed. Do not catch it: it ends the view.
        """
        self._ask.wait(self)
        return self._ask.value_of(self._name)

    @property
    def outcome(self) -> Outcome | None:
        """Its outcome; None while it is under way."""
        return self._ask.outcome_of(self._name)


class PythonViewRun(Run):
    """A run that starts a call only when the function demands it."""

    def begin(self) -> None:
        """Start to obtain credentials; calls start on demand."""
        self._waiting: dict[str, list[str]] = {name: [] for name in self.plan.dependents}
        self.waiting = self._waiting
        self._awaited = {}
        self._given_values: dict[str, Mapping[str, Any]] = {}
        refusals = self.plan.refusals
        self._refusal_needs = frozenset().union(*(refusal.needs for refusal in refusals))
        self.nodes.clear()
        super().begin()

    def demand(self, name: str, given: Mapping[str, Any]) -> str:
        """Start a call as soon as the calls that it needs, which are started too, have ended.

        1. A call without `given` is started once, however often it is demanded.
        2. Each start with `given` is a call of its own, named `call#3`.
        3. A write also waits for the calls that may fail the view, and starts those that its
           refusals need.

        Args:
            given: additional values for this start, by name.

        Returns:
            The name of the start, under which its value and outcome are stored.

        Raises:
            LookupError: there is no such call, or the view does not declare such a name.
        """
        node = self.plan.nodes[name]
        if unknown := sorted(given.keys() - self.plan.view.given):
            raise LookupError(f"the view does not declare `{unknown[0]}` in `given`")
        if given:
            node = replace(node, alias=f"{name}#{len(self.nodes)}")
            self._given_values[node.name] = given
        if node.name in self.nodes:
            return name
        if not self.outcomes and not self._running:
            self.prepare([name])
        needed = node.needs.keys() | self._evaluated_before(node)
        for other in [other for other in self.plan.nodes if other in needed]:  # as declared
            self.demand(other, {})
        self.nodes[node.name] = node
        # a call that it follows, but does not need, is awaited only if it was started: each start
        awaited = self.plan.awaits[name] - node.follows.keys()
        awaited |= {start for start in self.nodes if start.partition("#")[0] in node.follows}
        awaited |= self._may_fail_view(node)
        awaited -= self.outcomes.keys() | {f"@{service}" for service in self.context.credentials}
        self._awaited[node.name] = len(awaited)
        for other in awaited:
            self._waiting.setdefault(other, []).append(node.name)
        if not awaited:
            self._start(node)
        return node.name

    def _evaluated_before(self, node: Node) -> set[str]:
        """The calls that refusals need, which are evaluated before a write; none for a read."""
        if node.compiled.call.safe:
            return set()
        name, nodes = node.compiled.name, self.plan.nodes
        others = self._refusal_needs - {name}
        return {other for other in others if name not in waited_for(nodes, other)}

    def _may_fail_view(self, node: Node) -> set[str]:
        """The started calls that may still fail the view, if the call is a write; it awaits them.

        Other starts of the same write are left out. There is no deadlock: none of these calls waits
        for the write, as a call that does is started after it.
        """
        if node.compiled.call.safe:
            return set()
        others = [other for other in self.nodes.values() if other.compiled is not node.compiled]
        return {other.name for other in others if may_fail(other, self._refusal_needs)}

    def answered(self) -> dict[str, Outcome]:
        """The outcomes by declared name, and that of a refusal that could not be computed."""
        return _outcomes_by_call(self.plan, self.outcomes) | self._failure_rules.outcomes

    def scope(self, node: Node) -> Mapping[str, Any]:
        """The values that a call is filled with, including its own `given` values."""
        return {**self.values, **self._given_values.get(node.name, {})}


class Ask:
    """The argument of a view in Python: the values of the request, and its calls."""

    def __init__(self, run: PythonViewRun, values: Mapping[str, Any]) -> None:
        self._run, self._values = run, values

    def __getitem__(self, name: str) -> Any:
        """The value of a root name: `ask["params"]["limit"]`.

        Raises:
            LookupError: the view does not declare that it reads the name.
        """
        return self._values[name]

    def start(self, name: str, **given: Any) -> Pending:
        """Start a call. The calls that it needs are started too, and it begins when they ended.

        Args:
            name: of the call, as declared.
            given: values of names that the view declares in `given`; each start with such values
                is a call of its own.

        Raises:
            LookupError: there is no such call, or a name is not declared.
        """
        return Pending(self, self._run.demand(name, given))

    def wait(self, *pending: Pending) -> None:
        """Wait until these calls have ended, which they have by the deadline.

        Raises:
            ViewFailed: a required call has failed.
        """
        names = [call._name for call in pending]  # noqa: SLF001 - of this module
        self._run.attend(
            lambda: bool(self._run.failure) or all(self.outcome_of(name) for name in names)
        )
        if self._run.failure:
            raise ViewFailed("a required call failed")

    def refuse(self, status: int, title: str) -> None:
        """Answer with an error of the view's own.

        Args:
            status: 400 to 499.
            title: of the problem (RFC 9457).

        Raises:
            ViewFailed: always. Do not catch it: it ends the view.
            ValueError: the status is another one.
        """
        if status not in _REFUSAL_STATUSES:
            raise ValueError(f"a refusal has a status of 400 to 499, not {status}")
        self._run.fail(Failure(status, title))
        raise ViewFailed(title)

    def value_of(self, name: str) -> Any:
        """The value of a call that has ended."""
        return self._run.values[name]

    def outcome_of(self, name: str) -> Outcome | None:
        """The outcome of a call; None while it is under way."""
        return self._run.outcomes.get(name)


def run_python_view(
    plan: Plan,
    request: ViewRequest,
    deadline: Deadline,
    runtime: Runtime,
    exchange: Exchange | None = None,
) -> Answer:
    """Run the function of a view.

    When it returns, calls that it did not wait for are cancelled, except writes that have been
    sent: the answer waits until they end.
    """
    mailbox = DetachedMailbox(runtime.clock.mailbox())
    run = PythonViewRun(plan, request, deadline, runtime, mailbox, exchange)
    try:
        run.begin()
        value = None if run.failure else _called(run)
    finally:
        run.end()
    outcomes = run.answered()
    tags = invalidated(plan, run.values, outcomes)
    if run.failure:
        return Answer(None, outcomes, failure=run.failure, invalidates=tags)
    status = plan.view.answer if isinstance(plan.view.answer, int) else 200
    replies = run.context.replies
    respond = headers_of(outcomes, replies)
    lease = run.context.lease
    return Answer(value, outcomes, status, respond, None, replies, tags, lease)


def _called(run: PythonViewRun) -> Any:
    """The result of the view's function; None if the view has failed."""
    function, reads = run.plan.view.function, run.plan.view.reads
    if function is None:
        return None
    scope = run.request.scope
    try:
        return function(Ask(run, dict(scope) if reads is None else given_only(reads, scope)))
    except ViewFailed:
        if not run.failure:
            raise
    except (SystemExit, KeyboardInterrupt) as error:  # ends the view, and not the worker
        raise RuntimeError(f"a view raised {type(error).__name__}") from None
    return None


def _outcomes_by_call(plan: Plan, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The outcomes by declared name: several starts of a call are combined like a fan-out."""
    groups: dict[str, list[Outcome]] = {name: [] for name in plan.nodes}
    for name, outcome in outcomes.items():
        groups[name.partition("#")[0]].append(outcome)
    return {name: _combined_outcome(group) for name, group in groups.items() if group}


def _combined_outcome(group: list[Outcome]) -> Outcome:
    """The worst outcome of several starts, with the number of failures and the total duration."""
    if len(group) == 1:
        return group[0]
    worst = min(group, key=lambda outcome: _BY_SEVERITY.index(outcome.kind))
    failed = sum(outcome.kind in {"failed", "fallback"} for outcome in group)
    sent = [
        (outcome.started, outcome.started + outcome.took)
        for outcome in group
        if outcome.started is not None
    ]
    begun = min((start for start, _ in sent), default=None)
    ends = max((end for _, end in sent), default=0)
    took = ends - begun if begun is not None else 0.0
    of = len(group) if failed else 0
    return replace(worst, failed=failed, of=of, started=begun, took=took)
