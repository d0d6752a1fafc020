"""The policies by which services are called, as `bff.yaml` and calls declare them."""

from collections.abc import Callable
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import (
    DURATION,
    PERCENT,
    Key,
    Reader,
    integer,
    list_of,
    one_of,
    table,
    wrong,
)
from bff.model.policy import Break, Eject, Hedge, Retry
from bff.model.source import Place

_COUNT: Final = integer(1, 1000)
_NEVER: Final = "none"
_ERRORS: Final = one_of("connect", "reset")
_STATUS: Final = integer(400, 599)


def _either(word: Reader, other: Reader, kind: type) -> Reader:
    """What is of `kind` is read as `other`, everything else as `word`."""

    def read(node: Node) -> Any:
        return (other if isinstance(node.value, kind) else word).read(node)

    return Reader(read, {"anyOf": [word.schema, other.schema]})


def _as(make: Callable[[Any], Any], reader: Reader) -> Reader:
    """What `make` makes of what a reader reads."""
    return Reader(lambda node: make(reader.read(node)), reader.schema)


def _retry(place: Place, values: dict[str, Any]) -> Retry:
    if values["first"] > values["most"]:
        raise wrong(
            "wrong-value",
            place.of("first", "most"),
            "the `first` wait is longer than the `most` that any may be",
        )
    return Retry(**values | {"on": frozenset(values["on"])})


_ON: Final = _either(_ERRORS, _as(str, _STATUS), int)
RETRY_KEYS: Final = {
    "retries": Key(integer(1, 10), "How often at most; 1 if not said."),
    "on": Key(list_of(_ON), "Statuses, `connect` (nothing was sent), `reset` (nothing came)."),
    "first": Key(DURATION, "The bound of the first wait, then doubled."),
    "most": Key(DURATION, "What that bound does not exceed."),
    "each": Key(DURATION, "How long one attempt may take; a late one is sent again."),
}
RETRY: Final = _either(
    Reader(lambda node: _never(node, Retry(retries=0)), {"const": _NEVER}),
    table(_retry, RETRY_KEYS, "`retry`", Retry),
    dict,
)


def _never(node: Node, value: Any) -> Any:
    one_of(_NEVER).read(node)
    return value


def _breaker(place: Place, values: dict[str, Any]) -> Break:
    if values["open"] > values["most"]:
        raise wrong(
            "wrong-value",
            place.of("open", "most"),
            "it is `open` longer at first than the `most` that it may be",
        )
    return Break(**values)


BREAKER_KEYS: Final = {
    "failures": Key(PERCENT, "The share of failures that opens it; 50% if not said."),
    "of": Key(_COUNT, "Of how many calls; fewer open nothing."),
    "within": Key(DURATION, "What is longer ago does not count."),
    "slow": Key(DURATION, "A reply that takes longer is a failure."),
    "open": Key(DURATION, "How long it is open at first, then doubled."),
    "most": Key(DURATION, "What that does not exceed."),
    "probes": Key(_COUNT, "Calls that are let through then, and must be well."),
}
BREAKER: Final = table(_breaker, BREAKER_KEYS, "`breaker`", Break)

EJECT_KEYS: Final = {
    "after": Key(_COUNT, "Consecutive failures of one address."),
    "time": Key(DURATION, "How long it is left out at first; twice that, next."),
    "most": Key(DURATION, "What that does not exceed."),
    "share": Key(PERCENT, "Of all addresses, those that may be out at once."),
}
EJECT: Final = table(lambda _, values: Eject(**values), EJECT_KEYS, "`eject`", Eject)

LIMIT_KEYS: Final = {
    "calls": Key(integer(1, 10_000), "Requests in flight per process.", required=True),
    "wait": Key(DURATION, "How long one waits for a place; all that it has if not said."),
}
LIMIT: Final = _either(  # read as the fields of `Policies`
    _as(lambda calls: {"limit": calls}, integer(1, 10_000)),
    table(
        lambda _, values: {"limit": values["calls"], "wait": values.get("wait")},
        LIMIT_KEYS,
        "`limit`",
    ),
    dict,
)


def _hedge(node: Node) -> Hedge:
    if node.value == "p95":
        return Hedge()
    return Hedge(never=True) if node.value == _NEVER else Hedge(DURATION.read(node))


HEDGE: Final = Reader(_hedge, {"anyOf": [{"enum": ["p95", _NEVER]}, DURATION.schema]})
BALANCE: Final = one_of("least_outstanding", "round_robin")
HOPELESS: Final = _as(lambda word: word == "send", one_of("send", "refuse"))

# A policy is a field of `Policies`, a key here, and a decision in `bff/upstream`.
POLICY_KEYS: Final = {
    "limit": Key(LIMIT, "Requests in flight per process; half the pool if not said."),
    "retry": Key(RETRY, "When a request is sent again; never if not said."),
    "breaker": Key(BREAKER, "When it is asked no more for a while; never if not said."),
    "hedge": Key(HEDGE, "When a second request is sent beside the first; never if not said."),
    "budget": Key(PERCENT, "Retries and hedges at once, of its requests; 20% if not said."),
    "balance": Key(BALANCE, "Which of several addresses is asked."),
    "eject": Key(EJECT, "When one of several addresses is left out."),
    "hopeless": Key(HOPELESS, "What becomes of a call that cannot be in time."),
}
