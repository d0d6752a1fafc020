"""Turns exceptions into answers, for views, streams and relays alike.

- `RequestRefused`: its status; `errors` names the faults.
- `UpstreamError`, `Unfillable`, `GrantEnded`: the `Failure` of a call of a view
  (`engine.answer.failure_of`): its status, its reason, the name of the call.
- any other `BffError` is of authentication or authorization: its status, and an audit event.

A 503 always has Retry-After: the seconds of the error, else 2. So has the 409 to an Idempotency-Key
whose first request is still in progress. A 401 has the challenge WWW-Authenticate.
"""

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, Final

from flask import Response

from bff.engine.answer import Failure, failure_of
from bff.errors import (
    BffError,
    GrantEnded,
    LoginRequired,
    RequestRefused,
    StoreAway,
    Unfillable,
    UpstreamError,
)
from bff.model.principal import Principal
from bff.plan.compile import CompiledCall
from bff.web.access.admission import Admission
from bff.web.access.authenticate import AccessRule, vary_headers
from bff.web.access.refusal import RETRY_AFTER, how_to_sign_in
from bff.web.problem import problem

_TRY_AGAIN: Final = frozenset({409, 503})


def error_response(
    error: BffError,
    admission: Admission,
    principal: Principal,
    headers: Iterable[tuple[str, str]] = (),
    *,
    call: CompiledCall | None = None,
    relay: str = "",
) -> Response:
    """The answer to a request that ended with an exception.

    Args:
        principal: the client, as far as it is known.
        headers: additional headers of the answer, unless the client is not admitted.
        call: the call of a stream.
        relay: the name of a relay.
    """
    if isinstance(error, RequestRefused):
        response = refused(error)
    elif isinstance(error, UpstreamError | Unfillable | GrantEnded):
        response = failed(failure_of(error, error.reason, call), admission.rule, relay)
    else:
        return admission.refused(error, principal)
    response.vary.update(vary_headers(admission.rule))
    response.headers.extend(list(headers))
    return response


def refused(error: RequestRefused) -> Response:
    """The answer to a request that is malformed, or not as declared."""
    members: Mapping[str, Any] = {} if error.errors is None else {"errors": error.errors}
    response = problem(error.status, str(error), **members)
    if error.status in _TRY_AGAIN:
        response.headers["Retry-After"] = RETRY_AFTER
    response.headers.update(error.headers)
    return response


def failed(failure: Failure, rule: AccessRule, relay: str = "") -> Response:
    """The answer for a failure; it has nothing of a reply, except a Retry-After passed on."""
    if failure.errors:
        response = problem(failure.status, failure.detail, errors=failure.errors)
    elif failure.call:
        detail = f"the call `{failure.call}` failed, and the view cannot do without it"
        members = {"call": failure.call, "reason": failure.reason}
        response = problem(failure.status, failure.detail or detail, **members)
    elif relay and not failure.detail:
        detail = f"the service behind the relay `{relay}` did not answer"
        response = problem(failure.status, detail, reason=failure.reason)
    else:
        response = problem(failure.status, failure.detail, title=failure.title)
    if failure.status == LoginRequired.status:
        response.headers["WWW-Authenticate"] = how_to_sign_in(rule)
    after = _retry_after(failure, relay)
    if after:
        response.headers["Retry-After"] = after
    return response


def _retry_after(failure: Failure, relay: str) -> str:
    """Seconds or a date (RFC 9110, section 10.2.3); empty for none."""
    after = failure.retry_after
    if after is not None:
        return after if isinstance(after, str) else str(max(1, ceil(after)))
    of_a_service = failure.call or relay  # a refusal of the view has no default
    return RETRY_AFTER if of_a_service and failure.status == StoreAway.status else ""
