"""Fills what a request alone determines of a view's required calls, before anything is sent.

A value of the client's that fits no request is then the client's error, and not a service's. What
is filled is used by the call when it starts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bff.engine.blame import InputFaults
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
_UNFIT: Final = "does not fit the request"


@dataclass(slots=True)
class Prepared:
    """What of a call is filled.

    Args:
        known: of its parts, what they are filled with.
        forwarded: the client's headers that are passed on; None where they are not known.
        items: of each item the values of its names; None where the items are not known.
        nest: how many items each outer one has.
        own: of each item what its parts are filled with, and those of all.
    """

    known: Known = field(default_factory=dict)
    forwarded: Headers | None = None
    items: list[dict[str, Any]] | None = None
    nest: list[Any] = field(default_factory=list)
    own: list[Known] = field(default_factory=list)

    def of(self, position: int) -> Known:
        """What is known of the request for an item."""
        return self.own[position] if self.own else self.known

    def items_in(self, scope: Scope) -> tuple[list[dict[str, Any]], list[Any]] | None:
        """The scopes of the items with the values that have come since, and their nesting."""
        if self.items is None:
            return None
        return [{**scope, **each} for each in self.items], self.nest


def prepare(
    early: Mapping[str, Early], scope: Scope, headers: Mapping[str, str], blame: InputFaults
) -> dict[str, Prepared]:
    """Fill what can be filled, by the names of calls.

    Args:
        headers: the client's, those that may be forwarded.
        blame: collects what of the client's does not fit.
    """
    found = {name: _prepared(each, scope, headers, blame) for name, each in early.items()}
    return {name: each for name, each in found.items() if each}


def _prepared(
    early: Early, scope: Scope, headers: Mapping[str, str], blame: InputFaults
) -> Prepared | None:
    call = early.call
    for when in early.whens:
        try:
            if not truthy(when.value(scope)):
                return None
        except Unfillable:
            if when is call.when:
                blame.expression(when)
            return None
    prepared = Prepared(_filled(early, early.parts, scope, blame))
    prepared.forwarded = _forwarded(call, headers, blame)
    if early.items:
        _prepare_items(early, scope, prepared, blame)
    return prepared


def _prepare_items(early: Early, scope: Scope, prepared: Prepared, blame: InputFaults) -> None:
    call = early.call
    try:
        scopes, prepared.nest = items_of(call, scope)
    except (Unfillable, BadReply, TooMany) as error:
        if call.selects.roots <= OF_THE_REQUEST:
            for _, select in call.each:
                blame.expression(select, call.bound, _SELECTED.get(error.reason, _UNFIT))
        return
    prepared.items = [{name: own[name] for name in call.bound} for own in scopes]
    for own in scopes:
        if call.fold:
            try:
                id_of(call.fold, own)
            except Unfillable:
                for each in call.fold.ids.expressions:
                    blame.expression(each, call.bound, "is no id")
        elif early.parts_of_items:
            of_item = _filled(early, early.parts_of_items, own, blame)
            prepared.own.append({**prepared.known, **of_item})


def _filled(
    early: Early, parts: Iterable[Part], scope: Scope, blame: InputFaults
) -> dict[Part, Any]:
    """What parts are filled with; those that cannot be are left to the call."""
    known = {}
    for part in parts:
        try:
            value = part.fill(scope)
        except Unfillable:
            blame.part(part, scope, early.call.bound)
            continue
        if part not in early.anew:
            known[part] = value
    return known


def forwarded_by(call: CompiledCall, headers: Mapping[str, str]) -> Headers:
    """The client's headers that a call passes on. Raises Unfillable where one cannot be."""
    names = [name for name in call.forward if name in headers]
    return tuple((name, header_value(headers[name], name)) for name in names)


def headers_of(
    call: CompiledCall,
    prepared: "Prepared | None",
    client: Mapping[str, str],
    credentials: Headers | BffError,
) -> Headers:
    """The headers of a call's requests that no template gives: the client's, and credentials.

    Args:
        client: the client's headers, by lower-case names.

    Raises:
        BffError: there are no credentials, or a header of the client's cannot be passed on.
    """
    forwarded = prepared.forwarded if prepared else None
    if forwarded is None:
        forwarded = forwarded_by(call, client)
    if isinstance(credentials, BffError):
        raise credentials
    return forwarded + call.service.secret + credentials


def _forwarded(
    call: CompiledCall, headers: Mapping[str, str], blame: InputFaults
) -> Headers | None:
    try:
        return forwarded_by(call, headers) if call.forward else ()
    except Unfillable:
        for name in call.forward:
            if not _is_fit(headers.get(name, ""), name):
                blame.header(name)
        return None


def _is_fit(value: str, name: str) -> bool:
    try:
        header_value(value, name)
    except Unfillable:
        return False
    return True
