"""The keys with which a view's writes go to services: the same when the view is tried again."""

from dataclasses import replace
from hashlib import sha256
from typing import Final

from bff.engine.compile import CompiledCall
from bff.engine.fanout import FanOut

_HEADER: Final = "idempotency-key"


def keyed(fan: FanOut, call: CompiledCall, name: str, key: str) -> FanOut:
    """The requests of a write, each with a key of its own; others as they are.

    Args:
        name: the call's, which two calls of one view never share.
        key: of the view's request; empty without any.
    """
    if not key or call.call.safe:
        return fan
    for at, unit in enumerate(fan.units):
        if all(header.lower() != _HEADER for header, _ in unit.request.headers):
            own = sha256(f"{key}\n{name}\n{at}".encode()).hexdigest()[:32]
            headers = (*unit.request.headers, (_HEADER, f'"{own}"'))
            fan.units[at] = replace(unit, request=replace(unit.request, headers=headers))
    return fan
