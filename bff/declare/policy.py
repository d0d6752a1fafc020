"""Readers of resilience policies: retries, circuit breakers, outlier ejection, limits, hedging."""

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
    """A reader that uses `other` for values of `kind`, and `word` for all others."""

    def read(node: Node) -> Any:
        return (other if isinstance(node.value, kind) else word).read(node)

    return Reader(read, {"anyOf": [word.schema, other.schema]})


def _as(make: Callable[[Any], Any], reader: Reader) -> Reader:
    """A reader that applies `make` to the values of another one."""
    return Reader(lambda node: make(reader.read(node)), reader.schema)


def _retry(place: Place, values: dict[str, Any]) -> Retry:
    if values["first"] > values["most"]:
        raise wrong(
            "wrong-value",
            place.of("first", "most"),
            "`first` is longer than `most`",
        )
    return Retry(**values | {"on": frozenset(values["on"])})


_ON: Final = _either(_ERRORS, _as(str, _STATUS), int)
RETRY_KEYS: Final = {
    "retries": Key(integer(1, 10), "Maximum number of retries; default 1."),
    "on": Key(list_of(_ON), "What is retried: statuses, `connect` (not sent), `reset` (no reply)."),
    "first": Key(DURATION, "Backoff: upper bound of the first wait, doubled for each further one."),
    "most": Key(DURATION, "Maximum of that bound."),
    "each": Key(DURATION, "Timeout of one attempt, after which it is retried."),
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
            "`open` is longer than `most`",
        )
    return Break(**values)


BREAKER_KEYS: Final = {
    "failures": Key(PERCENT, "Failure rate that opens the circuit; default 50%."),
    "of": Key(_COUNT, "Minimum number of calls for the failure rate to count."),
    "within": Key(DURATION, "Length of the sliding window in which calls count."),
    "slow": Key(DURATION, "A reply that takes longer counts as a failure."),
    "open": Key(
        DURATION, "How long the circuit is open at first; doubled each time the trial calls fail."
    ),
    "most": Key(DURATION, "Maximum time that the circuit is open."),
    "probes": Key(_COUNT, "Half-open: trial calls that must succeed to close the circuit."),
}
BREAKER: Final = table(_breaker, BREAKER_KEYS, "`breaker`", Break)

EJECT_KEYS: Final = {
    "after": Key(_COUNT, "Consecutive failures after which an address is ejected."),
    "time": Key(DURATION, "How long the first ejection takes; the n-th takes n times as long."),
    "most": Key(DURATION, "Maximum time that an address is ejected."),
    "share": Key(PERCENT, "Maximum share of the addresses that are ejected at once."),
}
EJECT: Final = table(lambda _, values: Eject(**values), EJECT_KEYS, "`eject`", Eject)

LIMIT_KEYS: Final = {
    "calls": Key(
        integer(1, 10_000), "Concurrency limit: requests in flight per process.", required=True
    ),
    "wait": Key(DURATION, "Maximum time in the queue for a slot; by default all of its timeout."),
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
    "limit": Key(
        LIMIT, "Concurrency limit: requests in flight per process; default half the pool."
    ),
    "retry": Key(RETRY, "Retry policy; by default there are no retries."),
    "breaker": Key(BREAKER, "Circuit breaker; none by default."),
    "hedge": Key(HEDGE, "When a hedged (second) request is sent; never by default."),
    "budget": Key(PERCENT, "Retry budget: maximum share of retries and hedges; default 20%."),
    "balance": Key(BALANCE, "Load balancing between several addresses."),
    "eject": Key(EJECT, "Outlier ejection: when one of several addresses is ejected."),
    "hopeless": Key(HOPELESS, "Whether a call that is expected to miss its deadline is sent."),
}
