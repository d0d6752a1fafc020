"""Evaluates shapes with null, fallbacks and `status` values, as they are after failures."""

from collections.abc import Iterator
from typing import Any

import orjson

from bff.declare.checks.samples import is_sampled, scope_without_calls, substitutes
from bff.errors import Unfillable
from bff.model.problem import Problem
from bff.model.view import Call
from bff.plan.dependencies import reads
from bff.plan.expression import Expression
from bff.plan.order import attached
from bff.plan.plan import Plan


def shape_problems(view_plan: Plan) -> Iterator[Problem]:
    """Evaluate every leaf of a shape with null and with every value that replaces a failure."""
    compiled = {name: node.compiled for name, node in view_plan.nodes.items()}
    for pointer, leaf in view_plan.shape.leaves:
        found = reads(leaf)
        roots = (found.roots & view_plan.nodes.keys()) | attached(found, compiled).keys()
        calls = [view_plan.nodes[name].compiled.call for name in sorted(roots)]
        yield from _with_nulls(view_plan, pointer, leaf, calls)
        for call in calls:
            yield from _with_values(view_plan, pointer, leaf, call, alone=len(calls) == 1)


def _with_nulls(
    view_plan: Plan, pointer: str, leaf: Expression, calls: list[Call]
) -> Iterator[Problem]:
    may_be_null = [call for call in calls if call.rung == "optional" or call.when]
    if not may_be_null:
        return
    try:
        leaf.value(scope_without_calls(view_plan.view, view_plan.frontend))
    except Unfillable as fault:
        certain = len(may_be_null) == len(calls) and is_sampled(
            reads(leaf), {call.name for call in calls}
        )
        names = ", ".join(f"`{call.name}`" for call in may_be_null)
        message = f"the leaf {pointer or '/'} cannot be evaluated where {names} is null: {fault}"
        yield Problem(
            "shape-fails", leaf.source.place, message, "`x || `[]`` replaces a null", not certain
        )


def _with_values(
    view_plan: Plan, pointer: str, leaf: Expression, call: Call, *, alone: bool
) -> Iterator[Problem]:
    """Fallbacks and `status` values: a leaf that fails is an error, one that is null a warning."""
    for what, value in substitutes(call):
        copy = orjson.loads(orjson.dumps(value))
        try:
            result = leaf.value(
                {**scope_without_calls(view_plan.view, view_plan.frontend), call.name: copy}
            )
        except Unfillable as fault:
            message = f"the leaf {pointer or '/'} cannot be evaluated with {what} of `{call.name}`"
            certain = alone and is_sampled(reads(leaf), {call.name})
            yield Problem(
                "shape-fails", leaf.source.place, f"{message}: {fault}", warning=not certain
            )
        else:
            if result is None and alone and not _is_null_by_value(leaf, call, copy):
                message = f"the leaf {pointer or '/'} is null with {what} of `{call.name}`"
                yield Problem("shape-null", leaf.source.place, message, warning=True)


def _is_null_by_value(leaf: Expression, call: Call, value: Any) -> bool:
    """True if the leaf is null because of a null in the value, not because of a missing field."""
    try:
        return leaf.value({call.name: _without_nulls(value)}) is not None
    except Unfillable:
        return True


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return "" if value is None else value
