"""Signing in: navigations to the provider and back (OpenID Connect Core, section 3.1)."""

from secrets import token_urlsafe
from typing import Final

from flask import Flask, Response, request

from bff.auth.login import Login
from bff.auth.return_to import local_or_allowed
from bff.auth.session import key_of
from bff.errors import SignInFailed
from bff.web.address import client_address
from bff.web.authenticate import own_origin
from bff.web.endpoint import SignIn, add_endpoints, never_stored, see_other
from bff.web.error_page import onward_page

_RANDOM: Final = 32  # bytes of state, nonce and verifier
_DIGITS: Final = 9  # of a number of seconds
_PROMPTS: Final = frozenset({"login", "consent", "select_account", "none"})
_MOST_ACR: Final = 200


def sign_in_routes(app: Flask, parts: SignIn) -> None:
    """`/auth/login` and `/auth/callback`."""
    app.after_request(never_stored)
    add_endpoints(
        app,
        parts,
        [
            ("GET", "/auth/login", _login),
            ("GET", "/auth/login/<provider>", _login),
            ("GET", "/auth/callback", _callback),
            ("GET", "/auth/callback/<provider>", _callback),
        ],
    )


def _login(parts: SignIn, provider: str = "") -> Response:
    """Send the browser to the provider, and have it keep what the way back is checked against."""
    parts.limits.sign_in(client_address(request))
    name = provider or next(iter(parts.providers), "")
    if name not in parts.providers:
        raise SignInFailed("there is no such provider")
    origin = own_origin(request)
    login = Login(
        provider=name,
        state=token_urlsafe(_RANDOM),
        nonce=token_urlsafe(_RANDOM),
        verifier=token_urlsafe(_RANDOM),
        redirect_uri=origin + _callback_path(parts, name),
        return_to=local_or_allowed(request.args.get("return_to", "/"), origin, parts.return_to),
        at=parts.sessions.now(),
        max_age=_max_age(request.args.get("max_age")),
        acr_values=_acr_values(request.args.get("acr_values", "")),
        previous=_previous(parts),
        visitor=parts.cookies.visitor(request),
    )
    prompt = request.args.get("prompt", "")
    if prompt and prompt not in _PROMPTS:
        raise SignInFailed("`prompt` is none of " + ", ".join(sorted(_PROMPTS)))
    response = see_other(parts.providers[name].authorization_url(login, prompt))
    for cookie in parts.cookies.keep_login(request, login):
        response.headers.add("Set-Cookie", cookie)
    return response


def _callback_path(parts: SignIn, provider: str) -> str:
    """Where a provider sends people back to.

    Each has a path of its own, so that none can have another's codes redeemed (RFC 9700, 4.4).
    """
    usual = next(iter(parts.providers), "")
    return "/auth/callback" if provider == usual else f"/auth/callback/{provider}"


def _callback(parts: SignIn, **_provider: str) -> Response:
    """Take the browser back from the provider, and begin a session with an id of its own."""
    parts.limits.sign_in(client_address(request))
    state = request.args.get("state", "")
    login = parts.cookies.login(request, state)
    if login is None:
        message = "this sign-in was not begun in this browser, or too long ago"
        raise SignInFailed(message)
    asked = parts.providers.get(login.provider)
    if asked is None or request.path != _callback_path(parts, login.provider):
        raise SignInFailed("this sign-in was begun at another provider")
    if request.args.get("error"):
        asked.check_issuer(request.args.get("iss"))
        raise SignInFailed(_refusal(request.args["error"]))
    parts.sessions.prepare()
    person = asked.redeem(request.args.get("code", ""), request.args.get("iss"), login)
    about = {"agent": request.headers.get("User-Agent", ""), "visitor": login.visitor}
    given = parts.sessions.create(person, login.provider, asked.provider.client_id, about)
    parts.replace({login.previous, _previous(parts)} - {""})
    session = parts.sessions.load(given)
    if session:
        parts.heard("signed_in", session)
    response = onward_page(login.return_to, "You are signed in")
    response.headers.add("Set-Cookie", parts.cookies.keep_session(request, given))
    response.headers.add("Set-Cookie", parts.cookies.drop_login(request, state))
    return response


def _previous(parts: SignIn) -> str:
    """The key of the session that the browser has now, which the new one will replace."""
    given = parts.cookies.session_id(request)
    return key_of(given) if given else ""


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise SignInFailed("`max_age` is a number of seconds")
    return int(text)


def _acr_values(text: str) -> str:
    if len(text) > _MOST_ACR or not text.isprintable():
        raise SignInFailed("`acr_values` is a few words")
    return text


def _refusal(error: str) -> str:
    """Our words for the provider's (RFC 6749, section 4.1.2.1); its own stay with it."""
    known = {
        "access_denied": "the sign-in was cancelled",
        "login_required": "nobody is signed in at the provider",
        "interaction_required": "the provider has a question first",
        "consent_required": "the provider asks for consent first",
        "temporarily_unavailable": "the provider is busy: try again in a moment",
    }
    return known.get(error, "the provider has refused the sign-in")
