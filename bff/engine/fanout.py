"""Fan-out: one call becomes one or more requests, and their replies become one value.

A call without `each` is one request. With `each` it is one request for each item or, with `batch`,
one for several items.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from bff.engine.decode import StatusValue
from bff.engine.items import id_of, items_of
from bff.engine.prefill import Prepared
from bff.engine.request import Known, request_of
from bff.errors import BadReply, BffError, Unfillable
from bff.model.exchange import Headers, Origin, Request
from bff.observe.boundary import without_frames
from bff.plan.compile import CompiledCall, Fold
from bff.plan.expression import Scope
from bff.plan.template import as_text

# The result of one request: the value of its reply, or the error in its place.
Result = Any


@dataclass(slots=True)
class Unit:
    """One request of a call, and the indexes of the items that it is for."""

    request: Request
    items: list[int] = field(default_factory=list)


@dataclass(slots=True)
class FanOut:
    """The requests of one call.

    Args:
        units: the requests to send; identical ones are sent once.
        items: the items of the innermost `each`; empty for a call without `each`.
        nest: with several `each`, for each level but the first how many items each outer item has:
            `[[2, 1]]` for two orders with two lines and one line. Results are nested likewise.
        ids: in a batch, the id of each item as text; None for an item without one.
        failed: by index, the items whose request cannot be made, with the error.
        scopes: for each item the values that its request is filled with.
    """

    units: list[Unit]
    items: list[Any] = field(default_factory=list)
    nest: list[Any] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    failed: dict[int, BffError] = field(default_factory=dict)
    scopes: list[Scope] = field(default_factory=list)


def fan_out(
    call: CompiledCall,
    scope: Scope,
    extra: Headers,
    origin: Origin | None = None,
    prepared: Prepared | None = None,
) -> FanOut:
    """The requests of `call` for the values of `scope`.

    Args:
        extra: headers that are not templates: forwarded ones and credentials.
        origin: what the requests are made for, for logs and traces.
        prepared: the parts that are filled already.

    Raises:
        Unfillable: the request of a call without `each` cannot be made, or `each` not be computed.
        BadReply: the value that `each` selects is not a list.
        TooMany: it selects more than its `max`.
    """
    prepared = prepared or Prepared()
    if not call.each:
        return FanOut([Unit(request_of(call, scope, extra, origin, prepared.known))])
    scopes, nest = prepared.items_in(scope) or items_of(call, scope)
    items = [own[call.each[-1][0]] for own in scopes]
    fan = FanOut([], items, nest, scopes=list(scopes))
    if call.fold:
        return _batches(call, call.fold, scope, fan, extra, origin, prepared.known)
    unique: dict[Request, Unit] = {}
    for position, own in enumerate(scopes):
        try:
            request = request_of(call, own, extra, origin, prepared.of(position))
        except BffError as fault:
            fan.failed[position] = without_frames(fault)
            continue
        unit = unique.setdefault(request, Unit(request))
        unit.items.append(position)
    fan.units = list(unique.values())
    return fan


def failed_fan_out(call: CompiledCall, scope: Scope, why: BffError) -> FanOut:
    """The fan-out of a call that cannot be started: all items have failed with the same error."""
    try:
        scopes, nest = items_of(call, scope)
    except BffError:
        scopes, nest = [], []
    items = [own[call.each[-1][0]] for own in scopes]
    return FanOut([], items, nest, failed=dict.fromkeys(range(len(items)), why))


def _batches(
    call: CompiledCall,
    fold: Fold,
    scope: Scope,
    fan: FanOut,
    extra: Headers,
    origin: Origin | None,
    known: Known,
) -> FanOut:
    """The fan-out of a batched call: each distinct id is requested once."""
    batch = fold.batch
    typed: dict[str, Any] = {}  # by text: `7` and `"7"` are the same id
    for position, own in enumerate(fan.scopes):
        try:
            key, value = id_of(fold, own)
        except Unfillable as fault:
            fan.failed[position], key, value = without_frames(fault), None, None
        fan.ids.append(key)
        if key is not None:
            typed.setdefault(key, value)
    keys = list(typed)
    for start in range(0, len(keys), batch.size):
        chunk = keys[start : start + batch.size]
        ids = [typed[key] for key in chunk]
        given = (fold.ids, batch.join.join(chunk) if batch.join else ids)
        wanted = frozenset(chunk)
        positions = [at for at, key in enumerate(fan.ids) if key in wanted]
        request = request_of(call, scope, extra, origin, known, given)
        fan.units.append(Unit(request, positions))
    return fan


def join(
    call: CompiledCall, fan: FanOut, results: Sequence[Result], missing: Callable[[], Any]
) -> Any:
    """The value of a fanned-out call; with `into`, also attaches it to the items.

    Args:
        results: for each unit the value of its reply, or the error in its place.
        missing: makes the value of an item whose request failed.

    Raises:
        BadReply: a value cannot be attached to its item.
    """
    if not call.each:
        return results[0].value if isinstance(results[0], StatusValue) else results[0]
    empty = _empty_value(call)
    per_item = [missing() if at in fan.failed else empty() for at in range(len(fan.items))]
    for unit, result in zip(fan.units, results, strict=True):
        _distribute(call, fan, unit, result, per_item, missing)
    if call.call.into:
        _attach(fan.items, per_item, call.call.into, replace=call.call.replace)
        return per_item
    return _nested(per_item, fan.nest)


def _distribute(
    call: CompiledCall,
    fan: FanOut,
    unit: Unit,
    result: Result,
    per_item: list[Any],
    missing: Callable[[], Any],
) -> None:
    """Set the values of the items of one request; items never share a mutable value."""
    if isinstance(result, BffError):
        for position in unit.items:
            per_item[position] = missing()
        return
    if isinstance(result, StatusValue):
        for position in unit.items:
            per_item[position] = deepcopy(result.value)
        return
    empty = _empty_value(call)
    used: set[Any] = set()
    for position in unit.items:
        key = fan.ids[position] if call.fold else None
        value = result if key is None else result.get(key)
        if value is None and call.fold:
            value = empty()
        per_item[position] = deepcopy(value) if key in used else value
        used.add(key)


def _empty_value(call: CompiledCall) -> Callable[[], Any]:
    """Makes the value of an item whose id the reply lacks: null, or an empty list for `many`."""
    return list if call.fold and call.fold.batch.many else lambda: None


def by_key(fold: Fold, reply: Any) -> Mapping[str, Any]:
    """The elements of a batched reply by their key as text; lists of elements for `many`.

    Raises:
        BadReply: it is not a list of objects with a key, or has two elements for one id.
        Unfillable: the expression that selects the elements cannot be computed.
    """
    elements = fold.elements.value({} if reply is None else reply) if fold.elements else reply
    if not isinstance(elements, list):
        raise BadReply("the reply to a batch holds no list")
    found: dict[str, Any] = {}
    for element in elements:
        value = fold.key.value(element) if isinstance(element, dict) else None
        if not isinstance(value, str | int | float):
            raise BadReply(f"an element of a batch has no `{fold.key.source.shown}`")
        name = as_text(value, fold.key.source.shown)
        if fold.batch.many:
            found.setdefault(name, []).append(element)
        elif name in found:
            raise BadReply("a batch brought two elements for one id")
        else:
            found[name] = element
    return found


def _attach(items: Sequence[Any], values: Sequence[Any], into: str, *, replace: bool) -> None:
    """Set the member `into` of each item.

    Raises:
        BadReply: an item is not an object, has the member already, or is in the list twice.
    """
    seen: set[int] = set()
    for item in items:
        if not isinstance(item, dict) or (into in item and not replace) or id(item) in seen:
            raise BadReply(f"an item cannot take `{into}`: it is no object, or has one already")
        seen.add(id(item))
    for item, value in zip(items, values, strict=True):
        item[into] = value


def _nested(values: list[Any], nest: Sequence[Sequence[int]]) -> list[Any]:
    """The values as lists of lists; see `FanOut.nest`."""
    for counts in reversed(nest):
        at, lists = 0, []
        for count in counts:
            lists.append(values[at : at + count])
            at += count
        values = lists
    return values
