"""Signing in: navigations to the provider and back (OpenID Connect Core, section 3.1)."""

from contextlib import suppress
from typing import Final

from flask import Flask, Response, g, request

from bff.auth.oidc.error_codes import callback_refusal
from bff.auth.oidc.login import LoginRequest
from bff.auth.oidc.login_state import PendingLogin
from bff.auth.oidc.provider import OpenIdProvider
from bff.auth.session.csrf import check_is_visit
from bff.auth.session.return_to import local_or_allowed
from bff.auth.session.sessions import key_of
from bff.errors import SignInFailed, StoreAway
from bff.web.access.address import client_address
from bff.web.access.authenticate import own_origin, sent
from bff.web.access.endpoint import SignIn, add_endpoints, never_stored, see_other
from bff.web.access.error_page import onward_page

_DIGITS: Final = 9  # of a number of seconds
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PROMPTS: Final = frozenset({"login", "consent", "select_account", "none"})
_MOST_ACR: Final = 200
_TITLE: Final = "You are signed in"


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
    _check_is_visit()
    try:
        wanted = _wanted(parts, provider)
        g.sign_in_again = wanted.path()
    finally:  # what cannot be begun counts, too
        parts.limits.sign_in(client_address(request))
    parts.sessions.prepare()  # before the person goes to the provider and back for nothing
    redirect_uri = own_origin(request) + _callback_path(parts, wanted.provider)
    login, key = parts.logins.begin(wanted, redirect_uri)
    asked = parts.providers[wanted.provider]
    response = see_other(asked.authorization_url(login, wanted.prompt))
    for cookie in parts.cookies.keep_login(request, login.state, key):
        response.headers.add("Set-Cookie", cookie)
    return response


def _check_is_visit() -> None:
    """Raise CrossSite where it is no visit, before a cookie is set or a state is used."""
    check_is_visit(sent(request), [request.headers.get(name, "") for name in _PURPOSES])


def _wanted(parts: SignIn, provider: str) -> LoginRequest:
    """What a browser asks for that begins a sign-in.

    Raises:
        SignInFailed: it cannot be had.
    """
    name, asked = provider or next(iter(parts.providers), ""), request.args
    if name not in parts.providers:
        raise SignInFailed("there is no such provider")
    prompt = asked.get("prompt", "")
    if prompt and prompt not in _PROMPTS:
        raise SignInFailed("`prompt` is none of " + ", ".join(sorted(_PROMPTS)))
    return LoginRequest(
        provider=name,
        return_to=local_or_allowed(
            asked.get("return_to", "/"), own_origin(request), parts.return_to
        ),
        max_age=_max_age(asked.get("max_age")),
        acr_values=_acr_values(asked.get("acr_values", "")),
        prompt=prompt,
        previous=_previous(parts),
    )


def _callback_path(parts: SignIn, provider: str) -> str:
    """Where a provider sends people back to.

    Each has a path of its own, so that none can have another's codes redeemed (RFC 9700, 4.4).
    """
    usual = next(iter(parts.providers), "")
    return "/auth/callback" if provider == usual else f"/auth/callback/{provider}"


def _callback(parts: SignIn, **_provider: str) -> Response:
    """Take the browser back from the provider, and begin a session with an id of its own."""
    _check_is_visit()
    state = request.args.get("state", "")
    pending = parts.logins.read(state)
    if pending and pending.request.provider in parts.providers:
        g.sign_in_again = pending.request.path()
    parts.limits.sign_in(client_address(request))
    earlier = parts.logins.session_of(state) if pending else None
    if pending and earlier and parts.sessions.is_active(earlier):
        # a browser that went back in its history; any other is not signed in by this page
        return onward_page(pending.request.return_to, _TITLE)
    if earlier is not None:
        raise SignInFailed("this sign-in has been used already")
    key = parts.cookies.login_key(request, state)
    if pending is None or not pending.is_of(key):
        raise SignInFailed("this sign-in was not begun in this browser, or too long ago")
    asked = parts.providers.get(pending.request.provider)
    if asked is None or request.path != _callback_path(parts, pending.request.provider):
        raise SignInFailed("this sign-in was begun at another provider")
    return _returned(parts, asked, pending, key)


def _returned(parts: SignIn, asked: OpenIdProvider, pending: PendingLogin, key: str) -> Response:
    """End a sign-in, whose state counts no more whether it succeeds or not.

    Raises:
        SignInFailed: it does not.
        ProviderAway, StoreAway: it cannot be said just now.
    """
    state, given = request.args["state"], request.args
    if parts.logins.is_late(pending):
        raise SignInFailed("this sign-in was begun too long ago")
    if not given.get("error"):
        asked.prepare()  # if that cannot be had, nothing is spent, and the page can be reloaded
    mark = parts.logins.use(state)
    if not mark:
        raise SignInFailed("this sign-in has been used already")
    asked.check_issuer(given.get("iss"))
    if given.get("error"):
        raise callback_refusal(given["error"], asked.provider.issuer)
    login = pending.login(state, key, own_origin(request) + request.path)
    person = asked.redeem(given.get("code", ""), given.get("iss"), login)
    about = {
        "agent": request.headers.get("User-Agent", ""),
        "visitor": parts.cookies.visitor(request),
    }
    made = parts.sessions.create(person, login.provider, asked.provider.client_id, about)
    parts.replace({pending.request.previous, _previous(parts)} - {""}, key_of(made))
    session = parts.sessions.load(made)
    if session:
        parts.heard("signed_in", session)
        with suppress(StoreAway):  # then going back to this page does not go on, and no more
            parts.logins.succeeded(state, mark, session.key, parts.sessions.ends(session))
    response = onward_page(login.return_to, _TITLE)
    response.headers.add("Set-Cookie", parts.cookies.keep_session(request, made))
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
