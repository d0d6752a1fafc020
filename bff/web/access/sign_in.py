"""Sign-in by the authorization code flow (OpenID Connect Core, section 3.1)."""

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
from bff.web.access.authenticate import csrf_headers, own_origin
from bff.web.access.endpoint import AuthContext, add_endpoints, no_store, see_other
from bff.web.access.error_page import onward_page

_MAX_DIGITS: Final = 9  # of `max_age`
_PURPOSES: Final = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
_PROMPTS: Final = frozenset({"login", "consent", "select_account", "none"})
_MAX_ACR: Final = 200  # characters
_TITLE: Final = "You are signed in"


def sign_in_routes(app: Flask, auth: AuthContext) -> None:
    """`/auth/login` and `/auth/callback`."""
    app.after_request(no_store)
    add_endpoints(
        app,
        auth,
        [
            ("GET", "/auth/login", _login),
            ("GET", "/auth/login/<provider>", _login),
            ("GET", "/auth/callback", _callback),
            ("GET", "/auth/callback/<provider>", _callback),
        ],
    )


def _login(auth: AuthContext, provider: str = "") -> Response:
    """Redirect to the provider, with a cookie that binds the sign-in to this browser."""
    _check_is_visit()
    try:
        login_request = _login_request(auth, provider)
        g.sign_in_again = login_request.path()
    finally:  # invalid requests count, too
        auth.limits.count_sign_in(client_address(request))
    auth.sessions.prepare()  # fails before the user is sent to the provider
    redirect_uri = own_origin(request) + _callback_path(auth, login_request.provider)
    login, key = auth.logins.begin(login_request, redirect_uri)
    url = auth.providers[login_request.provider].authorization_url(login, login_request.prompt)
    response = see_other(url)
    for cookie in auth.cookies.set_login(request, login.state, key):
        response.headers.add("Set-Cookie", cookie)
    return response


def _check_is_visit() -> None:
    """Raise CrossSite unless it is a navigation, before a cookie is set or a state is used."""
    check_is_visit(csrf_headers(request), [request.headers.get(name, "") for name in _PURPOSES])


def _login_request(auth: AuthContext, provider: str) -> LoginRequest:
    """The parameters of a sign-in, from the query.

    Raises:
        SignInFailed: one is invalid.
    """
    name, query = provider or next(iter(auth.providers), ""), request.args
    if name not in auth.providers:
        raise SignInFailed("unknown provider")
    prompt = query.get("prompt", "")
    if prompt and prompt not in _PROMPTS:
        raise SignInFailed("`prompt` must be one of " + ", ".join(sorted(_PROMPTS)))
    return LoginRequest(
        provider=name,
        return_to=local_or_allowed(
            query.get("return_to", "/"), own_origin(request), auth.return_to
        ),
        max_age=_max_age(query.get("max_age")),
        acr_values=_acr_values(query.get("acr_values", "")),
        prompt=prompt,
        previous=_previous(auth),
    )


def _callback_path(auth: AuthContext, provider: str) -> str:
    """The path of a provider's redirect URI.

    It is distinct for each provider, against mix-up attacks (RFC 9700, section 4.4).
    """
    default = next(iter(auth.providers), "")
    return "/auth/callback" if provider == default else f"/auth/callback/{provider}"


def _callback(auth: AuthContext, **_provider: str) -> Response:
    """Complete a sign-in: validate the authorization response, and start a new session."""
    _check_is_visit()
    state = request.args.get("state", "")
    pending = auth.logins.read(state)
    if pending and pending.request.provider in auth.providers:
        g.sign_in_again = pending.request.path()
    auth.limits.count_sign_in(client_address(request))
    earlier = auth.logins.session_of(state) if pending else None
    if pending and earlier and auth.sessions.is_active(earlier):
        # the user navigated back to this page; it does not sign in any other browser
        return onward_page(pending.request.return_to, _TITLE)
    if earlier is not None:
        raise SignInFailed("this sign-in has been used already")
    key = auth.cookies.login_key(request, state)
    if pending is None or not pending.is_of(key):
        raise SignInFailed("this sign-in was not started in this browser, or has expired")
    provider = auth.providers.get(pending.request.provider)
    if provider is None or request.path != _callback_path(auth, pending.request.provider):
        raise SignInFailed("this sign-in was started with another provider")
    return _complete(auth, provider, pending, key)


def _complete(
    auth: AuthContext, provider: OpenIdProvider, pending: PendingLogin, key: str
) -> Response:
    """Redeem the code and create a session; the state is used up, also if this fails.

    Raises:
        SignInFailed: the authorization response or the ID token is invalid.
        ProviderAway, StoreAway: the provider or the session store is unavailable.
    """
    state, given = request.args["state"], request.args
    if auth.logins.is_late(pending):
        raise SignInFailed("this sign-in has expired")
    if not given.get("error"):
        provider.prepare()  # fails before the state is used, so that the page can be reloaded
    mark = auth.logins.use(state)
    if not mark:
        raise SignInFailed("this sign-in has been used already")
    provider.check_issuer(given.get("iss"))
    if given.get("error"):
        raise callback_refusal(given["error"], provider.provider.issuer)
    login = pending.login(state, key, own_origin(request) + request.path)
    person = provider.redeem(given.get("code", ""), given.get("iss"), login)
    about = {
        "agent": request.headers.get("User-Agent", ""),
        "visitor": auth.cookies.visitor(request),
    }
    made = auth.sessions.create(person, login.provider, provider.provider.client_id, about)
    auth.end_replaced({pending.request.previous, _previous(auth)} - {""}, key_of(made))
    session = auth.sessions.load(made)
    if session:
        auth.audit("signed_in", session)
        with suppress(StoreAway):  # without it, only navigating back to this page fails
            auth.logins.succeeded(state, mark, session.key, auth.sessions.ends(session))
    response = onward_page(login.return_to, _TITLE)
    response.headers.add("Set-Cookie", auth.cookies.set_session(request, made))
    response.headers.add("Set-Cookie", auth.cookies.clear_login(request, state))
    return response


def _previous(auth: AuthContext) -> str:
    """The key of the browser's current session, which the new one replaces; empty for none."""
    given = auth.cookies.session_id(request)
    return key_of(given) if given else ""


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise SignInFailed("`max_age` must be a number of seconds")
    return int(text)


def _acr_values(text: str) -> str:
    if len(text) > _MAX_ACR or not text.isprintable():
        raise SignInFailed(f"`acr_values` must be at most {_MAX_ACR} printable characters")
    return text
