"""The items of a call with `each`: a request is made for each of them."""

from typing import Any

from bff.errors import BadReply, TooMany, Unfillable
from bff.plan.compile import CompiledCall, Fold
from bff.plan.expression import Expression, Scope
from bff.plan.template import as_text


def items_of(call: CompiledCall, scope: Scope) -> tuple[list[dict[str, Any]], list[Any]]:
    """The scope of each innermost item, and the counts of `FanOut.nest`.

    Raises:
        Unfillable: an `each` cannot be computed.
        BadReply: it selects a value that is not a list.
        TooMany: it selects more items than its `max`.
    """
    scopes: list[dict[str, Any]] = [dict(scope)]
    nest: list[list[int]] = []
    for name, expression in call.each:
        counts: list[int] = []
        deeper: list[dict[str, Any]] = []
        for outer in scopes:
            found = _limited(call, _selected(expression, outer), len(deeper))
            counts.append(len(found))
            deeper += [{**outer, name: item} for item in found]
        scopes = deeper
        nest.append(counts)
    return scopes, nest[1:]


def _selected(expression: Expression, scope: Scope) -> list[Any]:
    selected = expression.value(scope)
    if selected is None:
        return []
    if not isinstance(selected, list):
        raise BadReply(f"`{expression.source.shown}` is not a list")
    return selected


def _limited(call: CompiledCall, found: list[Any], before: int) -> list[Any]:
    """The items that the call's `max` still allows, cut off before their scopes are made."""
    each = call.call.each
    if each is None or before + len(found) <= each.max:
        return found
    if not each.truncate:
        raise TooMany(f"more items than the {each.max} that the call allows")
    return found[: each.max - before]


def id_of(fold: Fold, scope: Scope) -> tuple[str | None, Any]:
    """The id of an item of a batch, as text and with its own type; None where it has none.

    Raises:
        Unfillable: it is not a single value, or contains the separator of ids.
    """
    value = fold.ids.value(scope)
    if value is None:
        return None, None
    key = as_text(value, fold.ids.source.shown)
    if fold.batch.join and fold.batch.join in key:
        raise Unfillable(f"an id contains `{fold.batch.join}`, the separator of ids")
    return key, value
