"""Signing in and out: navigations to the provider and back (OpenID Connect Core, section 3.1)."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from secrets import token_urlsafe
from typing import Any, Final

import orjson
from flask import Flask, Response, request

from bff.auth.csrf import check_cross_site
from bff.auth.login import Login
from bff.auth.return_to import local_or_allowed
from bff.auth.seal import BadSeal
from bff.auth.session import key_of
from bff.errors import SignInFailed
from bff.model.access import Csrf
from bff.web.address import client_address
from bff.web.authenticate import own_origin, sent, session_of
from bff.web.endpoint import SignIn, add_endpoints, json_of, never_stored
from bff.web.error_page import onward_page

_RANDOM: Final = 32  # bytes of state, nonce and verifier
_SEE_OTHER: Final = 303
_DIGITS: Final = 9  # of a number of seconds
_FORM: Final = "application/x-www-form-urlencoded"
_OUT, _WAY_OUT = "out:", "way out:"
_PROMPTS: Final = frozenset({"login", "consent", "select_account", "none"})
_OUT_LASTS: Final = 600.0  # seconds for the way back from the provider's sign-out
_MOST_ACR: Final = 200


def sign_in_routes(app: Flask, parts: SignIn) -> None:
    """`/auth/login`, `/auth/callback`, `/auth/logout` and `/auth/logged-out`."""
    app.after_request(never_stored)
    add_endpoints(
        app,
        parts,
        [
            ("GET", "/auth/login", _login),
            ("GET", "/auth/login/<provider>", _login),
            ("GET", "/auth/callback", _callback),
            ("GET", "/auth/callback/<provider>", _callback),
            ("POST", "/auth/logout", _logout),
            ("GET", "/auth/logout/provider", _at_provider),
            ("GET", "/auth/logged-out", _logged_out),
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
    response = _to(parts.providers[name].authorization_url(login, prompt))
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
    response = _arrived(login.return_to)
    response.headers.add("Set-Cookie", parts.cookies.keep_session(request, given))
    response.headers.add("Set-Cookie", parts.cookies.drop_login(request, state))
    return response


def _logout(parts: SignIn) -> Response:
    """End the session here and revoke its tokens; where to go to end the provider's own."""
    is_form = request.mimetype == _FORM
    rule: Csrf = "origin" if is_form else "header"  # a plain form can send no header
    check_cross_site(sent(request), rule, own_origin(request), parts.origins)
    session = session_of(
        request, parts.sessions, parts.cookies, parts.origins, slide=False, csrf=rule
    )
    wanted = request.form if is_form else request.args
    origin = own_origin(request)
    return_to = local_or_allowed(wanted.get("return_to", "/"), origin, parts.return_to)
    url = ""
    if session:
        ended = parts.sign_out(session)
        hint = ended.tokens.id_token if ended else ""
        url = _provider_logout(parts, session.provider, hint, origin, return_to)
    if is_form:
        response = _to(url or return_to)
    else:
        response = json_of({"logout_url": _unseen(parts, origin, url) if url else None})
    response.headers.add("Set-Cookie", parts.cookies.drop_session(request))
    return response


def _provider_logout(parts: SignIn, provider: str, hint: str, origin: str, return_to: str) -> str:
    """Where the provider ends its own session (RP-Initiated Logout 1.0, section 2)."""
    if provider not in parts.providers or not hint:
        return ""
    about = orjson.dumps({"return_to": return_to, "at": parts.sessions.now()})
    state = _text(parts.seal.seal(about, _OUT + origin))
    return parts.providers[provider].logout_url(hint, f"{origin}/auth/logged-out", state)


def _unseen(parts: SignIn, origin: str, url: str) -> str:
    """An address of ours that leads to `url`, in which an ID token is: no script gets to see it."""
    about = orjson.dumps({"url": url, "at": parts.sessions.now()})
    return f"/auth/logout/provider?to={_text(parts.seal.seal(about, _WAY_OUT + origin))}"


def _at_provider(parts: SignIn) -> Response:
    """On to the provider's own sign-out, from a page of ours that has just signed somebody out."""
    about = _opened(parts, request.args.get("to", ""), _WAY_OUT + own_origin(request))
    return _to(about["url"] if about else "/")


def _logged_out(parts: SignIn) -> Response:
    """Back from the provider's own sign-out; a state that is not ours leads nowhere else."""
    about = _opened(parts, request.args.get("state", ""), _OUT + own_origin(request))
    return _to(about["return_to"] if about else "/")


def _text(sealed: bytes) -> str:
    return urlsafe_b64encode(sealed).decode().rstrip("=")


def _opened(parts: SignIn, given: str, context: str) -> dict[str, Any]:
    """What we have sealed for an address, not long ago; nothing if it is not that."""
    try:
        sealed = urlsafe_b64decode(given + "=" * (-len(given) % 4))
        about: dict[str, Any] = orjson.loads(parts.seal.open(sealed, context))
    except (BadSeal, ValueError):
        return {}
    return about if parts.sessions.now() - about["at"] < _OUT_LASTS else {}


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


def _arrived(location: str) -> Response:
    """Have the browser go on from a page of ours.

    After a redirect it would still be on its way from the provider, for which it does not send the
    cookie that it has just got: SameSite=Strict.
    """
    response = onward_page(location)
    response.headers["Refresh"] = f"0; url={location}"
    return response


def _to(location: str) -> Response:
    """Send the browser there, without a page that would repeat the address."""
    response = Response(status=_SEE_OTHER)
    response.headers["Location"] = location
    del response.headers["Content-Type"]
    return response
