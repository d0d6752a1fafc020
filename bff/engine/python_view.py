"""Views written in Python: ordinary code that starts calls and waits for some of them.

It runs on the conductor's thread; calls, deadlines, rungs and outcomes are those of any view. The
conductor acts while the code waits: a timer that comes due during a long computation acts after it.
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
from bff.upstream.exchange import Exchange

_REFUSAL_STATUSES: Final = range(400, 500)
_BY_SEVERITY: Final = ("failed", "fallback", "stale", "skipped", "ok")


class Pending:
    """A call that was started."""

    def __init__(self, ask: "Ask", name: str) -> None:
        self._ask, self._name = ask, name

    @property
    def value(self) -> Any:
        """Its value; waits for it, no longer than the deadline.

        Raises:
            ViewFailed: it was required and failed, or another required call did: let it pass.
        """
        self._ask.wait(self)
        return self._ask.value_of(self._name)

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it has not."""
        return self._ask.outcome_of(self._name)


class PythonViewRun(Run):
    """A run that starts a call only when the function demands it."""

    def begin(self) -> None:
        """Have credentials on their way; no call starts by itself."""
        self._waiting: dict[str, list[str]] = {name: [] for name in self.plan.dependents}
        self.waiting = self._waiting
        self._awaited = {}
        self._given_values: dict[str, Mapping[str, Any]] = {}
        self._refusal_needs = frozenset().union(*(each.needs for each in self.plan.refusals))
        self.nodes.clear()
        super().begin()

    def demand(self, name: str, given: Mapping[str, Any]) -> str:
        """Want a call, and what it needs; the name under which its outcome will stand.

        Args:
            given: values that this one start of the call has besides; it then is one of its own.

        Raises:
            LookupError: there is no such call, or the view gives no such name.
        """
        node = self.plan.nodes[name]
        if unknown := sorted(given.keys() - self.plan.view.given):
            raise LookupError(f"the view does not say that it gives `{unknown[0]}`")
        if given:
            node = replace(node, alias=f"{name}#{len(self.nodes)}")
            self._given_values[node.name] = given
        if node.name in self.nodes:
            return name
        if not self.outcomes and not self._running:
            self.prepare([name])
        needed = node.needs.keys() | self._evaluated_before(node)
        for each in [each for each in self.plan.nodes if each in needed]:  # as they are written
            self.demand(each, {})
        self.nodes[node.name] = node
        # of the calls that it only follows, it waits for every start that was demanded
        awaited = self.plan.awaits[name] - node.follows.keys()
        awaited |= {each for each in self.nodes if each.partition("#")[0] in node.follows}
        awaited |= self._may_fail_view(node)
        awaited -= self.outcomes.keys() | {f"@{service}" for service in self.context.credentials}
        self._awaited[node.name] = len(awaited)
        for each in awaited:
            self._waiting.setdefault(each, []).append(node.name)
        if not awaited:
            self._start(node)
        return node.name

    def _evaluated_before(self, node: Node) -> set[str]:
        """What the view's refusals depend on, before anything is written."""
        if node.compiled.call.safe:
            return set()
        name, nodes = node.compiled.name, self.plan.nodes
        return {each for each in self._refusal_needs - {name} if name not in waited_for(nodes, each)}

    def _may_fail_view(self, node: Node) -> set[str]:
        """What was started before a write and may still fail the view; other starts of it do not.

        None of it waits for the write: what waits for a call is started after it.
        """
        if node.compiled.call.safe:
            return set()
        others = [each for each in self.nodes.values() if each.compiled is not node.compiled]
        return {each.name for each in others if may_fail(each, self._refusal_needs)}

    def answered(self) -> dict[str, Outcome]:
        """The outcomes by the names declared, and that of refusals that could not be judged."""
        return _outcomes_by_call(self.plan, self.outcomes) | self._failure_rules.outcomes

    def scope(self, node: Node) -> Mapping[str, Any]:
        """The values that a call is filled with, and those that only this start of it has."""
        return {**self.values, **self._given_values.get(node.name, {})}


class Ask:
    """What a view in Python is given: the request's values, and its calls."""

    def __init__(self, run: PythonViewRun, values: Mapping[str, Any]) -> None:
        self._run, self._values = run, values

    def __getitem__(self, name: str) -> Any:
        """A root name's value: `ask["params"]["limit"]`; only what the view says it reads.

        Raises:
            LookupError: it does not say so.
        """
        return self._values[name]

    def start(self, name: str, **given: Any) -> Pending:
        """Start a call; what it needs is started too, and it begins when that is there.

        Args:
            name: the call, as declared.
            given: values of the names that the view declares as `given`; each start of a call
                with some of them is a call of its own.

        Raises:
            LookupError: there is no such call, or a name was not declared.
        """
        return Pending(self, self._run.demand(name, given))

    def wait(self, *pending: Pending) -> None:
        """Wait until all of these have ended; by the deadline they have.

        Raises:
            ViewFailed: a required call failed.
        """
        names = [each._name for each in pending]  # noqa: SLF001  (it is ours)
        self._run.attend(
            lambda: bool(self._run.failure) or all(self.outcome_of(name) for name in names)
        )
        if self._run.failure:
            raise ViewFailed("a required call failed")

    def refuse(self, status: int, title: str) -> None:
        """Answer an error of the view's own.

        Args:
            status: 400 to 499.

        Raises:
            ViewFailed: always; let it pass.
        """
        if status not in _REFUSAL_STATUSES:
            raise ValueError(f"a refusal has a status of 400 to 499, not {status}")
        self._run.fail(Failure(status, title))
        raise ViewFailed(title)

    def value_of(self, name: str) -> Any:
        """The value of a call that has ended."""
        return self._run.values[name]

    def outcome_of(self, name: str) -> Outcome | None:
        """How a call ended; None while it has not."""
        return self._run.outcomes.get(name)


def run_python_view(
    plan: Plan,
    request: ViewRequest,
    deadline: Deadline,
    runtime: Runtime,
    exchange: Exchange | None = None,
) -> Answer:
    """Run a view's function; calls that it did not wait for are given up when it returns.

    Writes that have been sent are not: their end is waited for.
    """
    run = PythonViewRun(plan, request, deadline, runtime, runtime.clock.mailbox(), exchange)
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
    """What the view's function returns; None where the view has failed."""
    function, reads = run.plan.view.function, run.plan.view.reads
    if function is None:
        return None
    scope = run.request.scope
    try:
        return function(Ask(run, dict(scope) if reads is None else given_only(reads, scope)))
    except ViewFailed:
        if not run.failure:
            raise
    except (SystemExit, KeyboardInterrupt) as error:  # it ends the view, not the worker
        raise RuntimeError(f"a view raised {type(error).__name__}") from None
    return None


def _outcomes_by_call(plan: Plan, outcomes: Mapping[str, Outcome]) -> dict[str, Outcome]:
    """The outcomes by the names declared: several starts of one call count as one fan-out."""
    groups: dict[str, list[Outcome]] = {name: [] for name in plan.nodes}
    for name, outcome in outcomes.items():
        groups[name.partition("#")[0]].append(outcome)
    return {name: _combined_outcome(group) for name, group in groups.items() if group}


def _combined_outcome(group: list[Outcome]) -> Outcome:
    if len(group) == 1:
        return group[0]
    worst = min(group, key=lambda each: _BY_SEVERITY.index(each.kind))
    failed = sum(each.kind in {"failed", "fallback"} for each in group)
    starts = [each.started for each in group if each.started is not None]
    begun = min(starts, default=None)
    ends = max((each.started + each.took for each in group if each.started is not None), default=0)
    took = ends - begun if begun is not None else 0.0
    of = len(group) if failed else 0
    return replace(worst, failed=failed, of=of, started=begun, took=took)
