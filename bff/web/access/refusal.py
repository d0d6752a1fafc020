"""Errors of signing in and of access, as the answers that browsers, scripts and apps expect."""

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
from bff.web.access.authenticate import Rule, sent
from bff.web.access.error_page import error_page
from bff.web.access.limits import limited_headers
from bff.web.problem import problem

RETRY_AFTER: Final = "2"  # seconds in which a store that restarts is usually back
_FOUND: Final = 302
_WORDS: Final = {
    StoreAway: "sessions cannot be looked up just now: try again in a moment",
    ProviderAway: "the identity provider does not answer just now: try again in a moment",
    ProviderMisconfigured: NOT_SET_UP,
}


def refusal(error: BffError, rule: Rule | None = None, *, page: bool = False) -> Response:
    """The answer for an error that says why nobody is answered.

    Args:
        rule: the view's, if it is one that was asked for.
        page: whether a person looks at it.
    """
    if isinstance(error, LoginRequired) and rule and _may_sign_in(rule):
        return _to_login()
    detail = _WORDS.get(type(error)) or (str(error) if isinstance(error, AuthError) else "")
    again = g.get("sign_in_again", "/auth/login")
    response = error_page(error.status, detail, again) if page else problem(error.status, detail)
    if isinstance(error, RateLimited):
        response.headers.update(limited_headers(error))
    elif error.status == StoreAway.status:
        response.headers["Retry-After"] = RETRY_AFTER
    challenge = _challenge(error, rule)
    if challenge:
        response.headers["WWW-Authenticate"] = challenge
    return response


def _challenge(error: BffError, rule: Rule | None) -> str:
    """How to do better (RFC 9110, section 11.6.1; RFC 6750, section 3)."""
    if isinstance(error, InvalidToken):
        return f'Bearer realm="bff", error="invalid_token", error_description="{error}"'
    if isinstance(error, Forbidden) and error.scope:
        return f'Bearer realm="bff", error="insufficient_scope", scope="{error.scope}"'
    return how_to_sign_in(rule) if isinstance(error, LoginRequired) else ""


def how_to_sign_in(rule: Rule | None) -> str:
    """The challenge for whoever is not signed in, or is not any more."""
    if rule and "bearer" in rule.frontend.access:
        return 'Bearer realm="bff"'
    return 'Session realm="bff", login="/auth/login"'  # no scheme that a browser would ask for


def _may_sign_in(rule: Rule) -> bool:
    return "session" in rule.frontend.access and is_navigation(sent(request))


def _to_login() -> Response:
    """A person who follows a link is sent to sign in, and comes back to where it led."""
    target = request.environ.get("RAW_URI", "")  # as it was sent: a path that is decoded is another
    if not target.startswith("/"):
        target = quote(request.path)
    if len(target) > MAX_LENGTH:
        target = target.partition("?")[0] if len(target.partition("?")[0]) <= MAX_LENGTH else "/"
    response = Response(status=_FOUND)
    response.headers["Location"] = f"/auth/login?return_to={quote(target, safe='')}"
    response.headers["Cache-Control"] = "no-store"
    return response
