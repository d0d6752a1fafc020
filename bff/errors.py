"""The exceptions of this package, and the status with which each reaches a client.

`bff.web.errors` turns them into answers, alike for views, streams and relays.

BffError
├── ConfigError               never: all problems of a configuration at once
├── AuthError                 the client is not authenticated, or not authorized
│   ├── LoginRequired         401  not signed in
│   ├── InvalidToken          401  a bearer token that is not accepted (RFC 6750, section 3.1)
│   ├── Forbidden             403  signed in, and not allowed
│   ├── CrossSite             403  the request may come from a page of another origin
│   ├── Ambiguous             400  a session and a bearer token at once
│   ├── SignInFailed          400  a sign-in that failed; or 502, or 503
│   │   └── BadReturn         400  a `return_to` that leads elsewhere
│   └── RateLimited           429  more requests than a rule allows in its time
├── RequestRefused            4xx  malformed, or not as declared; 503 for one stream too many
├── StoreAway                 503  the session store is unavailable
├── ProviderAway              503  the identity provider is unavailable
│   └── ProviderMisconfigured 502  a retry will not help: the set-up has to be corrected
├── GrantEnded                401  the provider rejects the refresh token
├── UpstreamError             502  a call that failed; `reason` is what the client may know
│   ├── TimedOut              504
│   ├── Unreachable           502
│   ├── BadReply              502
│   ├── BadStatus             502  or the upstream's own, where the call says `pass`
│   ├── TooMany               502
│   │   └── MemoryReached     502  the memory for replies in this process is used up
│   ├── NoCredentials         502  503 if a store or provider is unavailable; or 401
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
    ├── ConnectionBroken      a connection to a service that closed or failed
    └── BadSeal               a value that was sealed with another key, or changed
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from bff.model.problem import Problem

NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class BffError(Exception):
    """The base of all exceptions that are raised on purpose.

    `status` is the HTTP status of the answer, `reason` the token for a failed call in `BFF-Calls`.
    """

    status = 500
    reason = "error"
    why = ""
    retry_after: float | None = None  # seconds after which a retry may succeed, if known

    @property
    def detail(self) -> str:
        """The text for the log: `why` if there is one, else the message, which clients may read."""
        return self.why or str(self)


class ConfigError(BffError):
    """An invalid configuration, with all problems found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda each: each.place.order))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class AuthError(BffError):
    """The client is not authenticated, or not authorized; the message is for the client."""

    status = 401


class LoginRequired(AuthError):
    """The client is not signed in, and has to be."""


class InvalidToken(AuthError):
    """A bearer token that is malformed, expired or for another audience (RFC 6750, section 3.1)."""


class Forbidden(AuthError):
    """The client is authenticated, and not authorized.

    Args:
        scope: the scopes that are required (RFC 6750, section 3); empty if none would suffice.
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
    """A sign-in that failed; the message contains nothing from the provider.

    Args:
        why: for the log: which answer of the provider, and from where.
        status: 502 for a wrong set-up, 503 for a temporary failure.
    """

    def __init__(self, message: str, why: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.why, self.status = why, status


class RateLimited(AuthError):
    """A rate limit of a user or an address was exceeded.

    Args:
        rule: the name of the limit.
        quota: requests allowed in the window.
        window: seconds.
        retry_after: seconds until the next request is allowed.
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
        headers: additional headers of the answer.
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
    """The session store is unavailable. A user with a session is not treated as anonymous then."""

    status = 503
    reason = "unreachable"


class ProviderAway(BffError):
    """The identity provider is unavailable; the message, with its address, is for the log."""

    status = 503
    reason = "unreachable"


class ProviderMisconfigured(ProviderAway):
    """A retry will not help: the set-up, here or at the provider, has to be corrected."""

    status = 502


class GrantEnded(BffError):
    """The provider rejects the refresh token (`invalid_grant`): the session has ended."""

    status = 401
    reason = "credentials"


class UpstreamError(BffError):
    """A call without a usable reply; the message is for the log, and may contain addresses."""

    status = 502
    reason = "unreachable"


class TimedOut(UpstreamError):
    """The time-out of the call or the view passed before the reply was complete."""

    status = 504
    reason = "timeout"


class Unreachable(UpstreamError):
    """The connection failed, or broke before the reply was complete.

    Args:
        before: `connect` if nothing was sent, `reset` if nothing of a reply arrived; else empty.
    """

    def __init__(self, message: str, before: str = "") -> None:
        super().__init__(message)
        self.before = before


class BadReply(UpstreamError):
    """A reply with an unexpected format, size or encoding."""

    reason = "bad_reply"


class BadStatus(UpstreamError):
    """A complete reply with a failure status, and its Retry-After as it is."""

    reason = "status"

    def __init__(self, upstream_status: int, retry_after: str = "") -> None:
        super().__init__(f"the upstream answered {upstream_status}")
        self.upstream_status, self.upstream_retry_after = upstream_status, retry_after


class TooMany(UpstreamError):
    """More items, requests or bytes than the view allows."""

    reason = "too_many"


class MemoryReached(TooMany):
    """The memory for replies in this process is used up; this is no failure of the service."""


class NoCredentials(UpstreamError):
    """A service's credentials could not be obtained.

    `status` is 503 if that is temporary, and 401 if the user has to sign in.
    """

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
    """The call was cancelled, as the view has failed or no longer needs it."""

    reason = "cancelled"


class ViewFailed(BffError):
    """Ends the function of a view in Python, whose failure is already recorded."""


class Unfillable(BffError):
    """An expression cannot be computed, or a template cannot be filled, with the given values."""

    status = 502
    reason = "unfillable"
