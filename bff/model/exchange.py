"""Requests to services, their replies, and outcomes of calls."""

from dataclasses import dataclass, field
from typing import Literal

from bff.model.source import Place
from bff.model.trace import Trace

Headers = tuple[tuple[str, str], ...]
OutcomeKind = Literal["ok", "stale", "fallback", "skipped", "failed"]
Why = Literal["first", "retry", "hedge", "redirect", "renewal"]  # a request is sent to a service
Tried = tuple[Why, int]  # why it is sent, and how often it was sent before


@dataclass(frozen=True, slots=True)
class Origin:
    """What a request to a service is made for, for recordings and messages.

    Args:
        id: of the client's request.
        target: the client's request target: path and query.
        place: of the call, in the configuration.
        trace: the trace context of the client's request.
    """

    id: str
    target: str
    frontend: str
    view: str
    call: str
    place: Place
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One request to one service, ready to send.

    Args:
        target: the encoded path and query below the service's address (RFC 9112, section 3.2).
        max_reply: bytes that the decoded reply body may have.
        url: the address of the service that it is sent to; empty for the first.
        origin: what it is made for; not compared.
        trace: headers that propagate the trace (W3C Trace Context).
        left_out: optional parts without a value, such as `query status`.
    """

    service: str
    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    max_reply: int = 8 * 1024 * 1024
    url: str = ""
    origin: Origin | None = field(default=None, compare=False, repr=False)
    trace: Headers = field(default=(), compare=False, repr=False)
    left_out: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete reply: header names in lower case, the body already decompressed.

    Args:
        lease: the body's share of the memory budget, held as long as the reply is referenced.
    """

    status: int
    headers: Headers
    body: bytes
    lease: object = field(default=None, compare=False, repr=False)

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on a clock, in seconds, after which nothing may run."""

    at: float

    def left(self, now: float) -> float:
        """Seconds until the deadline; never negative."""
        return max(0.0, self.at - now)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How the cache took part in a call or a view.

    Args:
        hit: whether a cached response was used.
        ttl: seconds for which it is still fresh; negative where it was stale.
        age: seconds since it was stored.
        collapsed: whether a concurrent request for the same was waited for (single flight).
        reason: of the failure that it replaces (stale-if-error).
    """

    hit: bool
    ttl: float = 0.0
    age: float = 0.0
    collapsed: bool = False
    reason: str = ""

    @property
    def word(self) -> str:
        """One word: `hit`, `stale`, `error`, `miss` or `collapsed`."""
        if not self.hit:
            return "collapsed" if self.collapsed else "miss"
        if self.reason:
            return "error"
        return "hit" if self.ttl >= 0 else "stale"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call ended.

    Args:
        reason: why it is not `ok`, as one token; empty when it is.
        status: the upstream's status where that was the reason.
        failed: how many of the `of` requests of a fan-out failed.
        started: seconds from the view's start to this call's, None if it never started.
        took: seconds it took.
        detail: for the log only.
        freshness: how the cache took part; None where the call is not cached.
    """

    kind: OutcomeKind
    reason: str = ""
    status: int | None = None
    failed: int = 0
    of: int = 0
    started: float | None = None
    took: float = 0.0
    detail: str = ""
    freshness: Freshness | None = None
