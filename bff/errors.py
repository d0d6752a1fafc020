"""Every exception of ours, and the status with which each reaches a client.

BffError
├── ConfigError              all problems of a configuration at once
├── AuthError                a request that may not be answered for who asks
│   ├── LoginRequired        401  nobody is signed in
│   ├── InvalidToken         401  a bearer token that does not count (RFC 6750)
│   ├── Forbidden            403  signed in, and not allowed
│   ├── CrossSite            403  it may come from a page of somebody else's
│   ├── Ambiguous            400  a session and a bearer token at once
│   ├── SignInFailed         400  the callback of a sign-in that did not go as it should; or 502
│   └── RateLimited          429  more requests than a rule allows in its time
├── Refused                  4xx  a body, or an Idempotency-Key, that is not as it must be
├── StoreAway                503  sessions cannot be read or written just now
├── ProviderAway             503  the identity provider cannot be asked just now
│   └── ProviderMisconfigured 502 it never will answer as it is set up, here or there
├── GrantEnded               401  the provider takes the refresh token no more
├── UpstreamError            a call that failed; its `reason` is what the client may know
│   ├── TimedOut             504
│   ├── Unreachable          502
│   ├── BadReply             502
│   ├── BadStatus            502, or the upstream's own where the call says `pass`
│   ├── TooMany              502
│   │   └── MemoryReached    502  there is no room for the reply in this process
│   ├── NoCredentials        502; 503 where a store or provider is away; or 401
│   ├── CircuitOpen          503  the service is not asked just now
│   ├── LimitReached         503  it is asked by too many already
│   ├── InternalError        502  following it up raised what no code expects
│   └── Cancelled            502
├── ViewFailed               ends a view in Python; the failure behind it has the status
└── Unfillable               502  an expression or template without the values it needs
"""

from collections.abc import Sequence

from bff.model.problem import Problem


class BffError(Exception):
    """Whatever this program raises on purpose.

    `status` is what a client is answered, `reason` the one token it may know of a failed call.
    """

    status = 500
    reason = "error"
    why = ""

    @property
    def detail(self) -> str:
        """What the log says: `why`, where that is more than the message tells a client."""
        return self.why or str(self)


class ConfigError(BffError):
    """A configuration that cannot be served, with every problem that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: each.place.order))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class AuthError(BffError):
    """A request that may not be answered for who asks; its message is for the client."""

    status = 401


class LoginRequired(AuthError):
    """Nobody is signed in, and the view is for those who are."""


class InvalidToken(AuthError):
    """A bearer token that does not count: malformed, expired, somebody else's (RFC 6750, 3.1)."""


class Forbidden(AuthError):
    """Who asks is known, and may not.

    Args:
        scope: the scopes that would do (RFC 6750, section 3); empty where none would.
    """

    status = 403

    def __init__(self, message: str, scope: str = "") -> None:
        super().__init__(message)
        self.scope = scope


class CrossSite(AuthError):
    """A request with a session's cookie that may come from a page of somebody else's."""

    status = 403


class Ambiguous(AuthError):
    """A session's cookie and a bearer token at once: two people, perhaps."""

    status = 400


class SignInFailed(AuthError):
    """A sign-in that did not go as it should; the message is ours, not the provider's.

    Args:
        why: for the log, in our words too: what the provider has answered, and where.
        status: 502 where sign-in is not set up as it must be, 503 where that passes by itself.
    """

    def __init__(self, message: str, why: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.why, self.status = why, status


class RateLimited(AuthError):
    """More requests of one person, or from one address, than a rule allows in its time.

    Args:
        rule: which one.
        quota: requests that it allows in its window.
        window: seconds.
        retry_after: seconds until the next would be answered.
    """

    status = 429

    def __init__(self, rule: str, quota: int, window: int, retry_after: int) -> None:
        super().__init__(f"more than {quota} requests in {window} s")
        self.rule, self.quota, self.window, self.retry_after = rule, quota, window, retry_after


class Refused(BffError):
    """A request that no service hears of; the message is for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class StoreAway(BffError):
    """Sessions can be neither read nor written just now; nobody is taken for anonymous."""

    status = 503
    reason = "unreachable"


class ProviderAway(BffError):
    """The identity provider does not answer just now; the message, for the log, says where."""

    status = 503
    reason = "unreachable"


class ProviderMisconfigured(ProviderAway):
    """No other try will do better: how it is set up, here or there, has to be corrected."""

    status = 502


class GrantEnded(BffError):
    """The provider takes the refresh token no more (`invalid_grant`): the session is over."""

    status = 401
    reason = "credentials"


class UpstreamError(BffError):
    """A call that brought no usable reply; the message is for the log, and may name addresses."""

    status = 502
    reason = "unreachable"


class TimedOut(UpstreamError):
    """The call's time, or the view's, was over before the reply was whole."""

    status = 504
    reason = "timeout"


class Unreachable(UpstreamError):
    """No connection, or one that broke before the reply was whole.

    Args:
        before: what had not happened yet: `connect`, or `reset` where nothing of a reply had come;
            empty where some had.
    """

    def __init__(self, message: str, before: str = "") -> None:
        super().__init__(message)
        self.before = before


class BadReply(UpstreamError):
    """A reply that is not what was asked for: its form, its size, its encoding."""

    reason = "bad_reply"


class BadStatus(UpstreamError):
    """A complete reply whose status says that it failed, and its Retry-After as it stands."""

    reason = "status"

    def __init__(self, upstream_status: int, retry_after: str = "") -> None:
        super().__init__(f"the upstream answered {upstream_status}")
        self.upstream_status, self.retry_after = upstream_status, retry_after


class TooMany(UpstreamError):
    """More items, requests or bytes than the view allows."""

    reason = "too_many"


class MemoryReached(TooMany):
    """The process holds as many bytes of replies as it may; says nothing about the service."""


class NoCredentials(UpstreamError):
    """A service's credentials could not be had; `status`: 503 for now, 401 for this token."""

    reason = "credentials"

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status


class CircuitOpen(UpstreamError):
    """Too many calls of the service failed: it is asked again in `retry_after` seconds."""

    status = 503
    reason = "circuit_open"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitReached(UpstreamError):
    """As many calls of the service as may be are in flight, and stay so for too long."""

    status = 503
    reason = "limit"
    retry_after = 1.0  # a guess: one cannot know


class InternalError(UpstreamError):
    """Stands for an exception that no code expects, which has been reported; it ends one call."""

    reason = "internal"


class Cancelled(UpstreamError):
    """The view has failed already, so that nobody waits for this call."""

    reason = "cancelled"


class ViewFailed(BffError):
    """Ends the function of a view in Python once its answer is decided."""


class Unfillable(BffError):
    """An expression cannot be computed, or a template filled, with the values that are there."""

    status = 502
    reason = "unfillable"
