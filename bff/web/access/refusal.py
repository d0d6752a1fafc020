"""Errors of authentication and authorization, as responses for browsers, scripts and apps."""

from typing import Final
from urllib.parse import quote

from flask import Response, g, request

from bff.auth.oidc.error_codes import NOT_SET_UP
from bff.auth.session.csrf import is_navigation
from bff.auth.session.return_to import MAX_LENGTH
from bff.errors import (
    AuthError,
    BffError,
    Forbidden,
    InvalidToken,
    LoginRequired,
    ProviderAway,
    ProviderMisconfigured,
    RateLimited,
    StoreAway,
)
from bff.web.access.authenticate import AccessRule, csrf_headers
from bff.web.access.error_page import error_page
from bff.web.access.rate_limits import rate_limit_headers
from bff.web.problem import problem

RETRY_AFTER: Final = "2"  # seconds; a store usually restarts within them
_FOUND: Final = 302
_DETAILS: Final = {
    StoreAway: "the session store is unavailable: try again in a moment",
    ProviderAway: "the identity provider is unavailable: try again in a moment",
    ProviderMisconfigured: NOT_SET_UP,
}


def refusal(error: BffError, rule: AccessRule | None = None, *, page: bool = False) -> Response:
    """The response for an error: a redirect to sign-in, an HTML page, or a problem (RFC 9457).

    Args:
        rule: the access rule of the view or relay; None for endpoints below `/auth`.
        page: whether to respond with an HTML page instead of a problem.
    """
    if isinstance(error, LoginRequired) and rule and _may_sign_in(rule):
        return _to_login()
    detail = _DETAILS.get(type(error)) or (str(error) if isinstance(error, AuthError) else "")
    again = g.get("sign_in_again", "/auth/login")
    response = error_page(error.status, detail, again) if page else problem(error.status, detail)
    if isinstance(error, RateLimited):
        response.headers.update(rate_limit_headers(error))
    elif error.status == StoreAway.status:
        response.headers["Retry-After"] = RETRY_AFTER
    challenge = _challenge(error, rule)
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    return response


def _challenge(error: BffError, rule: AccessRule | None) -> str:
    """The value of WWW-Authenticate (RFC 9110, section 11.6.1; RFC 6750, section 3)."""
    if isinstance(error, InvalidToken):
        return f'Bearer realm="bff", error="invalid_token", error_description="{error}"'
    if isinstance(error, Forbidden) and error.scope:
        return f'Bearer realm="bff", error="insufficient_scope", scope="{error.scope}"'
    return how_to_sign_in(rule) if isinstance(error, LoginRequired) else ""


def how_to_sign_in(rule: AccessRule | None) -> str:
    """The challenge for an anonymous request, or one whose session has ended."""
    if rule and "bearer" in rule.frontend.access:
        return 'Bearer realm="bff"'
    return 'Session realm="bff", login="/auth/login"'  # a scheme for which browsers show no dialog


def _may_sign_in(rule: AccessRule) -> bool:
    return "session" in rule.frontend.access and is_navigation(csrf_headers(request))


def _to_login() -> Response:
    """Redirect a navigation to sign-in, with the requested URL as `return_to`."""
    target = request.environ.get("RAW_URI", "")  # undecoded: decoding may change the path
    if not target.startswith("/"):
        target = quote(request.path)
    if len(target) > MAX_LENGTH:
        target = target.partition("?")[0] if len(target.partition("?")[0]) <= MAX_LENGTH else "/"
    response = Response(status=_FOUND)
    response.headers["Location"] = f"/auth/login?return_to={quote(target, safe='')}"
    response.headers["Cache-Control"] = "no-store"
    return response
