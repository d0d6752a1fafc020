"""The problem of a view that has no answer: a call's name, and not its upstream's words."""

from math import ceil

from flask import Response

from bff.engine.answer import Failure
from bff.errors import LoginRequired, StoreAway
from bff.web.authenticate import Rule
from bff.web.problem import problem
from bff.web.refusal import RETRY_AFTER, how_to_sign_in


def failed(failure: Failure, rule: Rule) -> Response:
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
    detail = f"the call `{failure.call}` failed, and the view cannot do without it"
    response = problem(failure.status, detail, call=failure.call, reason=failure.reason)
    if failure.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, ceil(failure.retry_after)))
    elif failure.status == StoreAway.status:
        response.headers["Retry-After"] = RETRY_AFTER
    return response
