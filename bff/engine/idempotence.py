"""The keys with which a view's writes go to services: the same when the view is tried again."""

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import Final

from bff.engine.fanout import FanOut
from bff.plan.compile import CompiledCall

_HEADER: Final = "idempotency-key"


def keyed(fan: FanOut, call: CompiledCall, sent: Counter[tuple[str, str]], key: str) -> FanOut:
    """The requests of a write, each with a key of its own; others as they are.

    A request is told from the others of its call by where it goes: of a list that has become
    shorter since the first try, the second element must not take the first one's key.

    Args:
        sent: how many writes of which call have gone where, in this run; they are counted here.
        key: of the view's request; empty without any.
    """
    if not key or call.call.safe:
        return fan
    for at, unit in enumerate(fan.units):
        where = (call.name, unit.request.target)
        sent[where] += 1
        if all(header.lower() != _HEADER for header, _ in unit.request.headers):
            told = "\n".join([key, *where, str(sent[where])])
            own = sha256(told.encode()).hexdigest()[:32]
            headers = (*unit.request.headers, (_HEADER, f'"{own}"'))
            fan.units[at] = replace(unit, request=replace(unit.request, headers=headers))
    return fan
