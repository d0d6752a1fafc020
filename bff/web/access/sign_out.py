"""Sign-out, here and at the provider (OpenID Connect RP-Initiated Logout 1.0)."""

from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final

import orjson
from flask import Flask, Response, request

from bff.auth.oidc.end_session import EndSession
from bff.auth.session.csrf import check_cross_site
from bff.auth.session.return_to import local_or_allowed
from bff.auth.session.sessions import StoredTokens
from bff.errors import StoreAway
from bff.model.access import Csrf
from bff.store.seal import BadSeal
from bff.web.access.authenticate import csrf_headers, own_origin, session_of
from bff.web.access.endpoint import AuthContext, add_endpoints, json_response, see_other
from bff.web.access.error_page import onward_page, posting_page

_FORM: Final = "application/x-www-form-urlencoded"
_REFERENCE_BYTES: Final = 32
_TTL: Final = 600.0  # seconds from here to the return from the provider's sign-out


def sign_out_routes(app: Flask, auth: AuthContext) -> None:
    """`/auth/logout`, `/auth/logout/provider` and `/auth/logged-out`."""
    add_endpoints(
        app,
        auth,
        [
            ("POST", "/auth/logout", _logout),
            ("GET", "/auth/logout/provider", _at_provider),
            ("GET", "/auth/logged-out", _logged_out),
        ],
    )


def _logout(auth: AuthContext) -> Response:
    """End the session and revoke its tokens; respond with the URL of the provider's sign-out."""
    is_form = request.mimetype == _FORM
    rule: Csrf = "origin" if is_form else "header"  # an HTML form cannot send a header
    check_cross_site(csrf_headers(request), rule, own_origin(request), auth.origins)
    session = session_of(request, auth.sessions, auth.cookies, auth.origins, slide=False, csrf=rule)
    wanted = request.form if is_form else request.args
    return_to = local_or_allowed(wanted.get("return_to", "/"), own_origin(request), auth.return_to)
    ended = auth.sign_out(session) if session else None
    url = _provider_logout_url(auth, ended, return_to) if ended else ""
    if is_form:
        response = onward_page(url or return_to, "You are signed out")
    else:
        response = json_response({"logout_url": url or None})
    response.headers.add("Set-Cookie", auth.cookies.clear_session(request))
    return response


def _provider_logout_url(auth: AuthContext, ended: StoredTokens, return_to: str) -> str:
    """The URL that starts the sign-out at the provider; empty if it does not support it.

    It refers to an end-session request in the store, for two reasons: the `id_token_hint` may be
    too long for a URL, and scripts must not see it. It is absolute, for pages at another origin.
    """
    provider, origin = auth.providers.get(ended.provider), own_origin(request)
    if provider is None:
        return ""
    reference = token_urlsafe(_REFERENCE_BYTES)
    state, back = _hash(reference), f"{origin}/auth/logged-out"
    out = provider.end_session(ended.tokens.id_token, back, state)
    if out is None:
        return ""
    about = {"endpoint": out.endpoint, "params": dict(out.params), "return_to": return_to}
    sealed = auth.seal.seal(orjson.dumps(about), _name(state, origin))
    try:
        auth.sessions.store.put(_name(state, origin), sealed, auth.sessions.now() + _TTL)
    except StoreAway:  # without `id_token_hint` the provider asks the user
        out = provider.end_session("", back, "")
        return out.url if out else ""
    return f"{origin}/auth/logout/provider?to={reference}"


def _at_provider(auth: AuthContext) -> Response:
    """Send the browser to the provider's end-session endpoint."""
    about = _pending(auth, _hash(request.args.get("to", "")))
    if not about:
        return see_other("/")
    out = EndSession(about["endpoint"], about["params"])
    return see_other(out.url) if out.url else posting_page(out)


def _logged_out(auth: AuthContext) -> Response:
    """The return from the provider's sign-out; without a valid state it redirects to `/`."""
    try:
        about = _pending(auth, request.args.get("state", ""))
    except StoreAway:
        about = {}  # the user is signed out, only `return_to` is lost
    return see_other(about.get("return_to", "/"))


def _pending(auth: AuthContext, state: str) -> dict[str, Any]:
    """The stored sign-out of a state; empty if there is none or it has expired."""
    name = _name(state, own_origin(request))
    entry = auth.sessions.store.get(name)
    if entry is None:
        return {}
    try:
        about: dict[str, Any] = orjson.loads(auth.seal.open(entry.value, name))
    except BadSeal:
        return {}
    return about


def _name(state: str, origin: str) -> str:
    """The store's key of a pending sign-out, bound to the origin where it began."""
    return f"sign-out:{_hash(state)}:{_hash(origin)}"


def _hash(text: str) -> str:
    """The `state` of a reference; the provider, which sees it, cannot derive the reference."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
