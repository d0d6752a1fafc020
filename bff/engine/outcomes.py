"""From the results of a call to its value and its outcome, by the call's own failure rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from bff.engine.fanout import FanOut, join, failed_fan_out
from bff.errors import BadReply, BffError, Unfillable
from bff.model.exchange import Deadline, Freshness, Outcome, OutcomeKind
from bff.plan.compile import CompiledCall
from bff.plan.expression import Scope
from bff.plan.order import Node


@dataclass(frozen=True, slots=True)
class Timing:
    """When a call started, in seconds after the view did (None: never), and how long it took."""

    started: float | None = None
    took: float = 0.0


@dataclass(slots=True)
class RunningCall:
    """A call whose requests are out.

    Args:
        results: for each request its value or its error, as they come.
        left: how many have not come.
        started: when, on the conductor's clock.
        ends: when they must have ended.
        kept: by the index of a request, how fresh its cached reply is.
    """

    node: Node
    fan: FanOut
    results: list[Any]
    left: int
    started: float
    ends: Deadline
    kept: dict[int, Freshness] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IncompleteList:
    """The pages of a list before one that failed, where the call accepts them.

    Args:
        of: pages that were asked for.
    """

    value: Any
    error: BffError
    of: int


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended.

    Args:
        error: what failed it, where that fails the view as well.
    """

    value: Any
    outcome: Outcome
    error: BffError | None = None


def outcome_of(
    call: CompiledCall, fan: FanOut, results: Sequence[Any], timing: Timing
) -> CallResult:
    """All requests of a call have ended: join them, or take the call's rung.

    Args:
        results: for each unit of `fan` the value of its reply, or the error in its place.
    """
    if results and isinstance(results[0], IncompleteList):
        part = results[0]
        outcome = _outcome(call, part.error, timing, 1, part.of)
        return CallResult(part.value, replace(outcome, kind="failed"))
    errors = [each for each in results if isinstance(each, BffError)]
    errors += dict.fromkeys(fan.failed.values())
    of = len(fan.units) + len(fan.failed) if call.each else 0
    failed = sum(isinstance(each, BffError) for each in results) + len(fan.failed) if of else 0
    if errors and (not call.each or call.call.rung == "required"):
        return fail_call(call, errors[0], timing, failed, of)
    try:
        value = join(call, fan, results, lambda: orjson.loads(call.fallback))
    except BffError as error:
        return fail_call(call, error, timing)
    except RecursionError:
        return fail_call(call, BadReply("the replies are nested too deeply"), timing)
    if errors:  # some items have it, the others got null or the fallback
        return CallResult(value, _outcome(call, errors[0], timing, failed, of))
    return CallResult(value, Outcome("ok", started=timing.started, took=timing.took))


def with_freshness(settled: CallResult, running: RunningCall) -> CallResult:
    """The result with how old it is; the outcome is `stale` if any part of it is."""
    if not running.freshness:
        return settled
    parts = list(running.freshness.values())
    oldest = max(parts, key=lambda part: part.age)
    told = Freshness(
        hit=all(part.hit for part in parts),
        ttl=min(part.ttl for part in parts) if len(parts) == len(running.fan.units) else 0.0,
        age=oldest.age,
        collapsed=any(part.collapsed for part in parts),
        reason=next((part.reason for part in parts if part.reason), ""),
    )
    outcome = replace(settled.outcome, freshness=told)
    if outcome.kind == "ok" and any(part.hit and part.ttl < 0 for part in parts):
        outcome = replace(outcome, kind="stale", reason=told.reason)
    return replace(settled, outcome=outcome)


def fail_unsent_call(call: CompiledCall, scope: Scope, error: BffError) -> CallResult:
    """A call that was never sent has failed; of a repeated one, each item gets its fallback."""
    if not call.each or call.call.rung != "fallback":
        return fail_call(call, error, Timing())
    settled = outcome_of(call, failed_fan_out(call, scope, error), (), Timing())
    outcome = _outcome(call, error, Timing(), 0, 0)
    return replace(settled, outcome=outcome)


def attribute_to_dependencies(
    errors: Iterable[BffError], needs: Iterable[str], outcomes: Mapping[str, Outcome]
) -> None:
    """Requests that cannot be made, of a call whose inputs failed, are so for that reason.

    Args:
        needs: the calls whose values it uses.
        outcomes: theirs among those of the view.
    """
    if any(outcomes[name].kind in {"failed", "fallback"} for name in needs):
        for error in errors:
            if isinstance(error, Unfillable):
                error.reason = "dependency"


def fail_call(
    call: CompiledCall, error: BffError, timing: Timing, failed: int = 0, of: int = 0
) -> CallResult:
    """The whole call has failed: the view does too, or a fallback or null takes its place."""
    outcome = _outcome(call, error, timing, failed, of)
    if call.call.rung == "required":
        return CallResult(None, outcome, error)
    if call.call.rung == "fallback" and not call.each:
        return CallResult(orjson.loads(call.fallback), outcome)
    return CallResult([] if call.call.rung == "fallback" else None, outcome)


def _outcome(call: CompiledCall, error: BffError, timing: Timing, failed: int, of: int) -> Outcome:
    kind: OutcomeKind = "fallback" if call.call.rung == "fallback" else "failed"
    return Outcome(
        kind,
        reason=error.reason,
        status=getattr(error, "upstream_status", None),
        failed=failed,
        of=of,
        started=timing.started,
        took=timing.took,
        detail=str(error),
    )
