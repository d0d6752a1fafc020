"""The problem of a view that has no answer: a call's name, and not its upstream's words."""

from math import ceil

from flask import Response

from bff.engine.answer import Failure
from bff.errors import LoginRequired, StoreAway
from bff.web.access.authenticate import AccessRule
from bff.web.access.refusal import RETRY_AFTER, how_to_sign_in
from bff.web.problem import problem


def failed(failure: Failure, rule: AccessRule) -> Response:
    """The answer for a failure; who has to sign in again is told how, as if they never had."""
    response = _problem(failure)
    if failure.status == LoginRequired.status:
        response.headers["WWW-Authenticate"] = how_to_sign_in(rule)
    return response


def _problem(failure: Failure) -> Response:
    if failure.errors:
        return problem(failure.status, failure.detail, errors=failure.errors)
    if not failure.call:
        return problem(failure.status, failure.detail, title=failure.title)
    detail = failure.detail
    detail = detail or f"the call `{failure.call}` failed, and the view cannot do without it"
    response = problem(failure.status, detail, call=failure.call, reason=failure.reason)
    after = failure.retry_after
    if after is not None:
        seconds = after if isinstance(after, str) else str(max(1, ceil(after)))
        response.headers["Retry-After"] = seconds
    elif failure.status == StoreAway.status:
        response.headers["Retry-After"] = RETRY_AFTER
    return response
