"""The policies by which a service is called: values only; `bff/upstream` decides by them."""

from dataclasses import dataclass, field
from typing import Literal

Balance = Literal["least_outstanding", "round_robin"]


@dataclass(frozen=True, slots=True)
class Retry:
    """When a request is sent again, and when not.

    Args:
        retries: how often at most; none at all is 0.
        on: statuses as text, `connect` (nothing was sent) and `reset` (nothing came).
        first: seconds; the bound of the first wait, which doubles with each.
        most: seconds; what that bound does not exceed.
        each: seconds that one attempt may take; None is whatever the request has left.
    """

    retries: int = 1
    on: frozenset[str] = frozenset({"connect", "reset", "429", "502", "503", "504"})
    first: float = 0.025
    most: float = 0.25
    each: float | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """When an address is asked no more, and for how long.

    Args:
        failures: the share of failures, slow replies among them, that opens it.
        of: of how many calls; fewer open nothing.
        within: seconds; what is longer ago does not count.
        slow: seconds; a reply that took longer is a failure. None: none is.
        open: seconds that it stays open at first; doubled each time that the probes fail.
        most: seconds; what that does not exceed.
        probes: calls that are let through then, and must all be well.
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
    """When one of several addresses is left out, and for how long.

    Args:
        after: consecutive failures.
        time: seconds of the first time; the n-th takes n times as long.
        most: seconds; what that does not exceed.
        share: of all addresses, those that may be out at once.
    """

    after: int = 5
    time: float = 30.0
    most: float = 300.0
    share: float = 0.5


@dataclass(frozen=True, slots=True)
class Hedge:
    """When a second request is sent beside the first.

    Args:
        after: seconds; None is the 95th percentile of what the call took recently.
        never: whether there is none: so a call says no to what its service declares.
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
