"""Evaluates the conditions of `refuse` with null and with every value that replaces a failure."""

from collections.abc import Iterator
from typing import Final

import orjson

from bff.declare.checks.samples import is_sampled, sample, scope_without_calls, substitutes
from bff.errors import Unfillable
from bff.model.problem import Problem
from bff.model.view import Call, View
from bff.plan.dependencies import reads
from bff.plan.expression import Scope, truthy
from bff.plan.plan import Plan
from bff.plan.refusals import CompiledRefusal

_HINT: Final = "`x || `[]`` replaces a null"


def refusal_problems(plan: Plan) -> Iterator[Problem]:
    """Refusals of a plan whose condition may fail to evaluate: that fails the view."""
    for at, refusal in enumerate(plan.refusals):
        before = [earlier for earlier in plan.refusals[:at] if earlier.needs <= refusal.needs]
        calls = [plan.nodes[name].compiled.call for name in sorted(refusal.needs)]
        scope = scope_without_calls(plan.view, plan.frontend)
        yield from _with_nulls(plan.view, refusal, before, calls, scope)
        for call in calls:
            yield from _with_values(refusal, before, call, scope)


def _with_nulls(
    view: View,
    refusal: CompiledRefusal,
    before: list[CompiledRefusal],
    calls: list[Call],
    scope: Scope,
) -> Iterator[Problem]:
    found = reads(refusal.when)
    used = {path[:2] for path in found.all}
    null = [f"`{call.name}`" for call in calls if _may_be_null(call)]
    params = [param for param in view.params if sample(param) is None]
    missing = [f"`params.{param.name}`" for param in params if ("params", param.name) in used]
    fault = _fault(refusal, before, scope) if null or missing else None
    if fault:
        names = ", ".join([*null, *missing])
        known = {call.name for call in calls if _may_be_null(call)}
        certain = bool(null) and is_sampled(found, known)
        message = (
            f"the refusal `{refusal.title}` cannot be evaluated where {names} is null: {fault}"
        )
        yield Problem(
            "refusal-fails", refusal.when.source.place, message, _HINT, warning=not certain
        )


def _with_values(
    refusal: CompiledRefusal, before: list[CompiledRefusal], call: Call, scope: Scope
) -> Iterator[Problem]:
    certain = is_sampled(reads(refusal.when), {call.name})
    for what, value in substitutes(call):
        copy = orjson.loads(orjson.dumps(value))
        fault = _fault(refusal, before, {**scope, call.name: copy})
        if fault:
            message = f"the refusal `{refusal.title}` cannot be evaluated with {what}"
            message += f" of `{call.name}`: {fault}"
            yield Problem("refusal-fails", refusal.when.source.place, message, warning=not certain)


def _fault(
    refusal: CompiledRefusal, before: list[CompiledRefusal], scope: Scope
) -> Unfillable | None:
    """The error of a refusal; None if there is none, or an earlier refusal is true."""
    for earlier in before:
        try:
            if truthy(earlier.when.value(scope)):
                return None
        except Unfillable:
            continue
    try:
        refusal.when.value(scope)
    except Unfillable as fault:
        return fault
    return None


def _may_be_null(call: Call) -> bool:
    """True if a call may have the value null without failing the view."""
    if call.rung == "optional" or call.when:
        return True
    values = [call.fallback] if call.rung == "fallback" else []
    return not call.each and any(value is None for value in [*values, *call.statuses.values()])
