"""Idempotency keys of a view's writes to services: the same when the client retries the view."""

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from typing import Final

from bff.engine.fanout import FanOut
from bff.plan.compile import CompiledCall

_HEADER: Final = "idempotency-key"


def keyed(fan: FanOut, call: CompiledCall, sent: Counter[tuple[str, str]], key: str) -> FanOut:
    """The requests of a call; those of a write get an Idempotency-Key each, if they have none.

    The key is derived from the key of the view's request, the call, and the target, with a number
    for requests with equal targets. The position in the fan-out is not part of it: for `[a, b]`,
    and `[b]` when the client retries, `b` must have the same key each time.

    Args:
        sent: the writes of this run by call and target, which are counted here.
        key: of the view's request; empty if it has none.
    """
    if not key or call.call.safe:
        return fan
    for index, unit in enumerate(fan.units):
        target = (call.name, unit.request.target)
        sent[target] += 1
        if all(header.lower() != _HEADER for header, _ in unit.request.headers):
            parts = "\n".join([key, *target, str(sent[target])])
            own = sha256(parts.encode()).hexdigest()[:32]
            headers = (*unit.request.headers, (_HEADER, f'"{own}"'))
            fan.units[index] = replace(unit, request=replace(unit.request, headers=headers))
    return fan
