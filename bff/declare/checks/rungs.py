"""Shapes tried on what failures leave: nulls, fallbacks and values that stand for a status."""

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


def shape_on_rungs(each: Plan) -> Iterator[Problem]:
    """Hold every leaf of the shape against null and against every value a failure may leave."""
    compiled = {name: node.compiled for name, node in each.nodes.items()}
    for pointer, leaf in each.shape.leaves:
        found = reads(leaf)
        roots = (found.roots & each.nodes.keys()) | attached(found, compiled).keys()
        calls = [each.nodes[name].compiled.call for name in sorted(roots)]
        yield from _with_nulls(each, pointer, leaf, calls)
        for call in calls:
            yield from _with_values(each, pointer, leaf, call, alone=len(calls) == 1)


def _with_nulls(each: Plan, pointer: str, leaf: Expression, calls: list[Call]) -> Iterator[Problem]:
    may_be_null = [call for call in calls if call.rung == "optional" or call.when]
    if not may_be_null:
        return
    try:
        leaf.value(scope_without_calls(each.view, each.frontend))
    except Unfillable as fault:
        certain = len(may_be_null) == len(calls) and is_sampled(
            reads(leaf), {call.name for call in calls}
        )
        names = ", ".join(f"`{call.name}`" for call in may_be_null)
        message = f"the leaf {pointer or '/'} cannot be computed where {names} is null: {fault}"
        yield Problem(
            "shape-fails", leaf.source.place, message, "`x || `[]`` stands for a null", not certain
        )


def _with_values(
    each: Plan, pointer: str, leaf: Expression, call: Call, *, alone: bool
) -> Iterator[Problem]:
    """Fallbacks and `status` values: what raises is an error, what is silently null a warning."""
    for what, value in substitutes(call):
        copy = orjson.loads(orjson.dumps(value))
        try:
            result = leaf.value({**scope_without_calls(each.view, each.frontend), call.name: copy})
        except Unfillable as fault:
            message = f"the leaf {pointer or '/'} cannot be computed with {what} of `{call.name}`"
            certain = alone and is_sampled(reads(leaf), {call.name})
            yield Problem(
                "shape-fails", leaf.source.place, f"{message}: {fault}", warning=not certain
            )
        else:
            if result is None and alone and not _says_null(leaf, call, copy):
                message = f"the leaf {pointer or '/'} is null with {what} of `{call.name}`"
                yield Problem("shape-null", leaf.source.place, message, warning=True)


def _says_null(leaf: Expression, call: Call, value: Any) -> bool:
    """Whether the leaf is null because the value has a null in it, not because it lacks a field."""
    try:
        return leaf.value({call.name: _without_nulls(value)}) is not None
    except Unfillable:
        return True


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return "" if value is None else value
