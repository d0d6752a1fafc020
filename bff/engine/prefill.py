"""Fills the parts of a view's required calls that depend on the client's request alone.

This happens before any request is sent, so that an invalid value of the client is answered 400,
and not 502 after some of the calls. A call uses its filled parts when it starts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bff.engine.input_faults import InputFaults
from bff.engine.items import id_of, items_of
from bff.engine.request import Known
from bff.errors import BadReply, BffError, TooMany, Unfillable
from bff.model.exchange import Headers
from bff.plan.compile import CompiledCall
from bff.plan.early import Early
from bff.plan.expression import Scope, truthy
from bff.plan.fields import OF_THE_REQUEST
from bff.plan.request_parts import Part
from bff.plan.template import header_value

_SELECTED: Final = {BadReply.reason: "is not a list", TooMany.reason: "has too many items"}
_NOT_COMPUTABLE: Final = "cannot be processed by the view"


@dataclass(slots=True)
class Prepared:
    """The parts of a call that are filled.

    Args:
        known: the filled parts that all its requests share.
        forwarded: the client's headers that are passed on; None where one of them is invalid.
        items: for each item the values of the names that `each` binds; None where the items depend
            on other calls.
        nest: how many items each outer item has; see `FanOut`.
        own: for each item its filled parts, together with `known`.
    """

    known: Known = field(default_factory=dict)
    forwarded: Headers | None = None
    items: list[dict[str, Any]] | None = None
    nest: list[Any] = field(default_factory=list)
    own: list[Known] = field(default_factory=list)

    def of(self, position: int) -> Known:
        """The filled parts of the request for an item."""
        return self.own[position] if self.own else self.known

    def items_in(self, scope: Scope) -> tuple[list[dict[str, Any]], list[Any]] | None:
        """The scopes of the items, with the values of calls that have ended since, and `nest`."""
        if self.items is None:
            return None
        return [{**scope, **names} for names in self.items], self.nest


def prepare(
    early: Mapping[str, Early], scope: Scope, headers: Mapping[str, str], faults: InputFaults
) -> dict[str, Prepared]:
    """Fill the parts that depend on the request alone, by the names of calls.

    Args:
        headers: the client's headers that may be forwarded.
        faults: collects the client's values that are invalid.
    """
    found = {name: _prepared(parts, scope, headers, faults) for name, parts in early.items()}
    return {name: prepared for name, prepared in found.items() if prepared}


def _prepared(
    early: Early, scope: Scope, headers: Mapping[str, str], faults: InputFaults
) -> Prepared | None:
    """The filled parts of one call; None where it is skipped."""
    call = early.call
    for when in early.whens:
        try:
            if not truthy(when.value(scope)):
                return None
        except Unfillable:
            if when is call.when:
                faults.expression(when)
            return None
    prepared = Prepared(_filled(early, early.parts, scope, faults))
    prepared.forwarded = _forwarded(call, headers, faults)
    if early.items:
        _prepare_items(early, scope, prepared, faults)
    return prepared


def _prepare_items(early: Early, scope: Scope, prepared: Prepared, faults: InputFaults) -> None:
    call = early.call
    try:
        scopes, prepared.nest = items_of(call, scope)
    except (Unfillable, BadReply, TooMany) as error:
        if call.selects.roots <= OF_THE_REQUEST:
            for _, select in call.each:
                faults.expression(select, call.bound, _SELECTED.get(error.reason, _NOT_COMPUTABLE))
        return
    prepared.items = [{name: own[name] for name in call.bound} for own in scopes]
    for own in scopes:
        if call.fold:
            try:
                id_of(call.fold, own)
            except Unfillable:
                for expression in call.fold.ids.expressions:
                    faults.expression(expression, call.bound, "is not a valid id")
        elif early.parts_of_items:
            of_item = _filled(early, early.parts_of_items, own, faults)
            prepared.own.append({**prepared.known, **of_item})


def _filled(
    early: Early, parts: Iterable[Part], scope: Scope, faults: InputFaults
) -> dict[Part, Any]:
    """The filled parts; a part that cannot be filled is left to the call, which then fails."""
    known = {}
    for part in parts:
        try:
            value = part.fill(scope)
        except Unfillable:
            faults.part(part, scope, early.call.bound)
            continue
        if part not in early.anew:
            known[part] = value
    return known


def forwarded_by(call: CompiledCall, headers: Mapping[str, str]) -> Headers:
    """The client's headers that a call passes on. Raises Unfillable where one is invalid."""
    names = [name for name in call.forward if name in headers]
    return tuple((name, header_value(headers[name], name)) for name in names)


def headers_of(
    call: CompiledCall,
    prepared: Prepared | None,
    client: Mapping[str, str],
    credentials: Headers | BffError,
) -> Headers:
    """The headers of a call's requests that are not templates: forwarded ones, and credentials.

    Args:
        client: the client's headers, by lower-case names.

    Raises:
        BffError: there are no credentials, or a header of the client is invalid.
    """
    forwarded = prepared.forwarded if prepared else None
    if forwarded is None:
        forwarded = forwarded_by(call, client)
    if isinstance(credentials, BffError):
        raise credentials
    return forwarded + call.service.secret + credentials


def _forwarded(
    call: CompiledCall, headers: Mapping[str, str], faults: InputFaults
) -> Headers | None:
    try:
        return forwarded_by(call, headers) if call.forward else ()
    except Unfillable:
        for name in call.forward:
            if not _is_valid(headers.get(name, ""), name):
                faults.header(name)
        return None


def _is_valid(value: str, name: str) -> bool:
    try:
        header_value(value, name)
    except Unfillable:
        return False
    return True
