"""The exceptions of this package, and the status with which each reaches a client.

`bff.web.errors` turns them into answers, alike for views, streams and relays.

BffError
├── ConfigError               never: all problems of a configuration at once
├── AuthError                 the client is not known, or may not ask
│   ├── LoginRequired         401  not signed in
│   ├── InvalidToken          401  a bearer token that is not accepted (RFC 6750, section 3.1)
│   ├── Forbidden             403  signed in, and not allowed
│   ├── CrossSite             403  the request may come from a page of another origin
│   ├── Ambiguous             400  a session and a bearer token at once
│   ├── SignInFailed          400  a sign-in that failed; or 502, or 503
│   │   └── BadReturn         400  a `return_to` that leads elsewhere
│   └── RateLimited           429  more requests than a rule allows in its time
├── RequestRefused            4xx  malformed, or not as declared; 503 for one stream too many
├── StoreAway                 503  the session store cannot be read or written
├── ProviderAway              503  the identity provider does not answer
│   └── ProviderMisconfigured 502  another try will not help: the set-up has to be corrected
├── GrantEnded                401  the provider accepts the refresh token no more
├── UpstreamError             502  a call that failed; `reason` is what the client may know
│   ├── TimedOut              504
│   ├── Unreachable           502
│   ├── BadReply              502
│   ├── BadStatus             502  or the upstream's own, where the call says `pass`
│   ├── TooMany               502
│   │   └── MemoryReached     502  this process has no memory for the reply
│   ├── NoCredentials         502  503 where a store or provider is away; or 401
│   ├── CircuitOpen           503  with the seconds until the circuit breaker admits a request
│   ├── LimitReached          503  the concurrency limit of the service
│   ├── InternalError         502  an unexpected exception, which has been reported
│   └── Cancelled             502
├── ViewFailed                never: ends a view in Python, whose failure has the status
├── Unfillable                502  an expression or template without the values it needs
└── of one package            never: caught where they are raised
    ├── BadToken              a JWT that is not accepted
    │   ├── StaleToken        expired, or of another sign-in
    │   └── UnknownKey        signed with a key that its issuer does not publish
    ├── GrantRefused          the answer of a token endpoint
    ├── LockLost              another process has the lock
    └── BadSeal               a value that was sealed with another key, or changed
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from bff.model.problem import Problem

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class BffError(Exception):
    """The base of all exceptions that are raised on purpose.

    `status` is what a client is answered, `reason` the one token it may know of a failed call.
    """

    status = 500
    reason = "error"
    why = ""
    retry_after: float | None = None  # seconds after which another try may succeed, where known

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
    """The client is not known, or may not ask; the message is for the client."""

    status = 401


class LoginRequired(AuthError):
    """The client is not signed in, and has to be."""


class InvalidToken(AuthError):
    """A bearer token that is malformed, expired or for another audience (RFC 6750, section 3.1)."""


class Forbidden(AuthError):
    """The client is known, and not allowed.

    Args:
        scope: the scopes that would do (RFC 6750, section 3); empty where none would.
    """

    status = 403

    def __init__(self, message: str, scope: str = "") -> None:
        super().__init__(message)
        self.scope = scope


class CrossSite(AuthError):
    """A request with a session's cookie that may come from a page of another origin."""

    status = 403


class Ambiguous(AuthError):
    """A session's cookie and a bearer token at once, perhaps of two users."""

    status = 400


class SignInFailed(AuthError):
    """A sign-in that failed; the message has nothing that the provider sent.

    Args:
        why: for the log: which answer of the provider, and from where.
        status: 502 where sign-in is not set up as it must be, 503 where that passes by itself.
    """

    def __init__(self, message: str, why: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.why, self.status = why, status


class RateLimited(AuthError):
    """More requests of one user, or from one address, than a rule allows in its time.

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


class RequestRefused(BffError):
    """A request that is malformed or not as declared; it reaches no service.

    Args:
        message: for the client.
        errors: an entry for each fault: a parameter, or a JSON Pointer (RFC 6901) into the body.
        headers: that the answer has besides.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[Mapping[str, str]] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> None:
        super().__init__(message)
        self.status, self.errors, self.headers = status, errors, headers


class StoreAway(BffError):
    """The session store is away; until it is back no user is treated as anonymous."""

    status = 503
    reason = "unreachable"


class ProviderAway(BffError):
    """The identity provider does not answer; the message, for the log, says where."""

    status = 503
    reason = "unreachable"


class ProviderMisconfigured(ProviderAway):
    """Another try will not help: the set-up, here or at the provider, has to be corrected."""

    status = 502


class GrantEnded(BffError):
    """The provider accepts the refresh token no more (`invalid_grant`): the session is over."""

    status = 401
    reason = "credentials"


class UpstreamError(BffError):
    """A call that brought no usable reply; the message is for the log, and may name addresses."""

    status = 502
    reason = "unreachable"


class TimedOut(UpstreamError):
    """The time-out of the call or the view passed before the reply was complete."""

    status = 504
    reason = "timeout"


class Unreachable(UpstreamError):
    """No connection, or one that broke before the reply was complete.

    Args:
        before: `connect` if nothing was sent, `reset` if nothing of a reply arrived; else empty.
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
        self.upstream_status, self.upstream_retry_after = upstream_status, retry_after


class TooMany(UpstreamError):
    """More items, requests or bytes than the view allows."""

    reason = "too_many"


class MemoryReached(TooMany):
    """The memory that replies may take in this process is used up; the service is not at fault."""


class NoCredentials(UpstreamError):
    """A service's credentials could not be obtained; `status`: 503 for now, 401 for this user."""

    reason = "credentials"

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.status = status


class CircuitOpen(UpstreamError):
    """The circuit breaker is open, and admits a request in `retry_after` seconds."""

    status = 503
    reason = "circuit_open"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class LimitReached(UpstreamError):
    """The concurrency limit of the service was reached, and the wait for a slot timed out."""

    status = 503
    reason = "limit"
    retry_after = 1.0  # an estimate


class InternalError(UpstreamError):
    """Replaces an unexpected exception, which has been reported; it ends one call."""

    reason = "internal"


class Cancelled(UpstreamError):
    """The call was given up, because the view has failed or needs it no more."""

    reason = "cancelled"


class ViewFailed(BffError):
    """Ends the function of a view in Python once its answer is decided."""


class Unfillable(BffError):
    """An expression cannot be computed, or a template filled, with the values that are there."""

    status = 502
    reason = "unfillable"
