"""Resilience policies of a service as values; `bff/upstream` implements them."""

from dataclasses import dataclass, field
from typing import Literal

Balance = Literal["least_outstanding", "round_robin"]


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries with exponential backoff.

    Args:
        retries: the most retries of a request; 0 for none.
        on: statuses as text, `connect` (nothing was sent) and `reset` (no byte of a reply).
        first: seconds; the bound of the first wait, which doubles with each retry.
        most: seconds; the maximum of that bound.
        each: seconds that one attempt may take; None is all that the request has left.
    """

    retries: int = 1
    on: frozenset[str] = frozenset({"connect", "reset", "429", "502", "503", "504"})
    first: float = 0.025
    most: float = 0.25
    each: float | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """The circuit breaker of an address.

    Args:
        failures: the share of failures, including slow replies, that opens it.
        of: the fewest calls that can open it.
        within: seconds; the sliding window of calls that count.
        slow: seconds; a reply that takes longer counts as a failure. None for no such bound.
        open: seconds that it stays open; doubled each time that the probes fail.
        most: seconds; the maximum of that.
        probes: calls that are let through when half-open; all must succeed to close it.
    """

    failures: float = 0.5
    of: int = 20
    within: float = 30.0
    slow: float | None = None
    open: float = 5.0
    most: float = 120.0
    probes: int = 3


@dataclass(frozen=True, slots=True)
class Eject:
    """Outlier ejection: an address that keeps failing is left out for a while.

    Args:
        after: consecutive failures.
        time: seconds of the first ejection; the n-th takes n times as long.
        most: seconds; the maximum of that.
        share: the largest share of addresses that may be ejected at once.
    """

    after: int = 5
    time: float = 30.0
    most: float = 300.0
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Hedge:
    """Hedged requests: a second request is sent while the first has not replied.

    Args:
        after: seconds; None is the 95th percentile of recent durations of the call.
        never: True where a call opts out of what its service declares.
    """

    after: float | None = None
    never: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """All policies of a service.

    Args:
        limit: requests in flight at once per process; None is half the pool.
        wait: seconds that a request waits for a slot of these; None is all it has.
        hopeless: whether a call is sent that is not expected to be answered in time.
        retry: None for no retries; and so with `breaker` and `hedge`.
        budget: retries and hedges at once, as a share of the requests to it at the same time.
        balance: which of several addresses a request is sent to.
    """

    limit: int | None = None
    wait: float | None = None
    hopeless: bool = True
    retry: Retry | None = None
    breaker: Break | None = None
    hedge: Hedge | None = None
    budget: float = 0.2
    balance: Balance = "least_outstanding"
    eject: Eject = field(default_factory=Eject)
