"""The value and the outcome of a call, from the results of its requests and its failure rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from bff.engine.fanout import FanOut, failed_fan_out, join
from bff.errors import BadReply, BffError, Unfillable
from bff.model.exchange import Deadline, Freshness, Outcome, OutcomeKind
from bff.plan.compile import CompiledCall
from bff.plan.expression import Scope
from bff.plan.order import Node


@dataclass(frozen=True, slots=True)
class Timing:
    """When a call started, in seconds after the view (None: not at all), and its duration."""

    started: float | None = None
    took: float = 0.0


@dataclass(slots=True)
class RunningCall:
    """A call whose requests are under way.

    Args:
        results: for each request its value or its error; None while it is under way.
        left: the number of requests under way.
        started: the start of the call, on the conductor's clock.
        ends: the deadline of its requests.
        freshness: by the index of a request, the freshness of its cached reply.
    """

    node: Node
    fan: FanOut
    results: list[Any]
    left: int
    started: float
    ends: Deadline
    freshness: dict[int, Freshness] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IncompleteList:
    """The pages of a list before one that failed, if the call accepts partial lists.

    Args:
        of: the number of pages requested.
    """

    value: Any
    error: BffError
    of: int


@dataclass(frozen=True, slots=True)
class CallResult:
    """How a call ended.

    Args:
        error: the error, if it fails the view as well.
    """

    value: Any
    outcome: Outcome
    error: BffError | None = None


def outcome_of(
    call: CompiledCall, fan: FanOut, results: Sequence[Any], timing: Timing
) -> CallResult:
    """The result of a call whose requests have all ended.

    1. Pages before one that failed: the value, with the outcome `failed`.
    2. A request failed, and the call has no `each` or is required: the call fails.
    3. Replies that cannot be joined: the call fails.
    4. Some requests of a call with `each` failed: their items get null or the fallback.
    5. Otherwise the outcome is `ok`.

    Args:
        results: for each unit of `fan` the value of its reply, or the error in its place.
    """
    if results and isinstance(results[0], IncompleteList):
        part = results[0]
        outcome = _outcome(call, part.error, timing, 1, part.of)
        return CallResult(part.value, replace(outcome, kind="failed"))
    errors = [result for result in results if isinstance(result, BffError)]
    errors += dict.fromkeys(fan.failed.values())
    of = len(fan.units) + len(fan.failed) if call.each else 0
    failed = sum(isinstance(result, BffError) for result in results) + len(fan.failed) if of else 0
    if errors and (not call.each or call.call.rung == "required"):
        return fail_call(call, errors[0], timing, failed, of)
    try:
        value = join(call, fan, results, lambda: orjson.loads(call.fallback))
    except BffError as error:
        return fail_call(call, error, timing)
    except RecursionError:
        return fail_call(call, BadReply("the replies are nested too deeply"), timing)
    if errors:
        return CallResult(value, _outcome(call, errors[0], timing, failed, of))
    return CallResult(value, Outcome("ok", started=timing.started, took=timing.took))


def with_freshness(result: CallResult, running: RunningCall) -> CallResult:
    """The result with the freshness of its cached replies; `stale` if any of them is stale.

    Together they are a hit if all are, and as fresh as the least fresh one; if a reply was not
    cached, the lifetime is 0.
    """
    if not running.freshness:
        return result
    parts = list(running.freshness.values())
    oldest = max(parts, key=lambda part: part.age)
    combined = Freshness(
        hit=all(part.hit for part in parts),
        ttl=min(part.ttl for part in parts) if len(parts) == len(running.fan.units) else 0.0,
        age=oldest.age,
        collapsed=any(part.collapsed for part in parts),
        reason=next((part.reason for part in parts if part.reason), ""),
    )
    outcome = replace(result.outcome, freshness=combined)
    if outcome.kind == "ok" and any(part.hit and part.ttl < 0 for part in parts):
        outcome = replace(outcome, kind="stale", reason=combined.reason)
    return replace(result, outcome=outcome)


def fail_unsent_call(call: CompiledCall, scope: Scope, error: BffError) -> CallResult:
    """The result of a call that failed before any request; with `each`, its items get fallbacks."""
    if not call.each or call.call.rung != "fallback":
        return fail_call(call, error, Timing())
    result = outcome_of(call, failed_fan_out(call, scope, error), (), Timing())
    return replace(result, outcome=_outcome(call, error, Timing(), 0, 0))


def attribute_to_dependencies(
    errors: Iterable[BffError], needs: Iterable[str], outcomes: Mapping[str, Outcome]
) -> None:
    """Set the reason `dependency` on errors of requests that lack the value of a failed call.

    Args:
        errors: of the requests of one call.
        needs: the calls whose values that call uses.
        outcomes: of the calls of the view that have ended.
    """
    if any(outcomes[name].kind in {"failed", "fallback"} for name in needs):
        for error in errors:
            if isinstance(error, Unfillable):
                error.reason = "dependency"


def fail_call(
    call: CompiledCall, error: BffError, timing: Timing, failed: int = 0, of: int = 0
) -> CallResult:
    """The result of a call that failed as a whole: an error of the view, a fallback, or null."""
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
