"""What goes to a service, what comes back, and how a call ended."""

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
    """What a request is made for, so that whoever records or misses it can say so.

    Args:
        id: of the client's request.
        target: what the client asked for: path and query.
        place: of the call, in the configuration.
        trace: the client's request's place in a trace.
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
        url: which address of the service it goes to; the first where nothing is said.
        origin: what it is made for; two requests are the same whatever they are for.
        trace: headers that say so to the service (W3C Trace Context).
        left_out: what a mark has left out of it, such as `query status`.
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
        lease: the bytes that the body takes of the process's memory, while anything has the reply.
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
    """What a cache had to do with a call or a view.

    Args:
        hit: whether what was kept is what was answered.
        ttl: seconds for which that is still fresh; negative where it was stale.
        age: seconds since it was made.
        collapsed: whether it was loaded for somebody else who wanted the same.
        reason: of the failure that it stands in for.
    """

    hit: bool
    ttl: float = 0.0
    age: float = 0.0
    collapsed: bool = False
    reason: str = ""

    @property
    def word(self) -> str:
        """It in one word: `hit`, `stale`, `error`, `miss` or `collapsed`."""
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
        detail: for the log, never for the client.
        freshness: what was kept of it; None where nothing is.
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
