"""Signing out: here, at the provider, and back (OpenID Connect RP-Initiated Logout 1.0)."""

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
from bff.web.access.authenticate import own_origin, sent, session_of
from bff.web.access.endpoint import SignIn, add_endpoints, json_of, see_other
from bff.web.access.error_page import onward_page, posting_page

_FORM: Final = "application/x-www-form-urlencoded"
_REFERENCE: Final = 32  # bytes
_LASTS: Final = 600.0  # seconds for the way to the provider's sign-out, and back from it


def sign_out_routes(app: Flask, parts: SignIn) -> None:
    """`/auth/logout`, `/auth/logout/provider` and `/auth/logged-out`."""
    add_endpoints(
        app,
        parts,
        [
            ("POST", "/auth/logout", _logout),
            ("GET", "/auth/logout/provider", _at_provider),
            ("GET", "/auth/logged-out", _logged_out),
        ],
    )


def _logout(parts: SignIn) -> Response:
    """End the session here and revoke its tokens; where to go to end the provider's own."""
    is_form = request.mimetype == _FORM
    rule: Csrf = "origin" if is_form else "header"  # a plain form can send no header
    check_cross_site(sent(request), rule, own_origin(request), parts.origins)
    session = session_of(
        request, parts.sessions, parts.cookies, parts.origins, slide=False, csrf=rule
    )
    wanted = request.form if is_form else request.args
    return_to = local_or_allowed(wanted.get("return_to", "/"), own_origin(request), parts.return_to)
    ended = parts.sign_out(session) if session else None
    url = _way_out(parts, ended, return_to) if ended else ""
    if is_form:
        response = onward_page(url or return_to, "You are signed out")
    else:
        response = json_of({"logout_url": url or None})
    response.headers.add("Set-Cookie", parts.cookies.drop_session(request))
    return response


def _way_out(parts: SignIn, ended: StoredTokens, return_to: str) -> str:
    """An address at which the provider ends its own session; empty where it has none.

    It is absolute, for pages at another origin, and refers to a request in the store: the ID token
    that goes to the provider may be longer than an address can be, and no script gets to see it.
    """
    provider, origin = parts.providers.get(ended.provider), own_origin(request)
    if provider is None:
        return ""
    reference = token_urlsafe(_REFERENCE)
    state, back = _hash(reference), f"{origin}/auth/logged-out"
    out = provider.end_session(ended.tokens.id_token, back, state)
    if out is None:
        return ""
    about = {"endpoint": out.endpoint, "params": dict(out.params), "return_to": return_to}
    sealed = parts.seal.seal(orjson.dumps(about), _name(state, origin))
    try:
        parts.sessions.store.put(_name(state, origin), sealed, parts.sessions.now() + _LASTS)
    except StoreAway:  # the session is over: without a hint the provider asks the person
        out = provider.end_session("", back, "")
        return out.url if out else ""
    return f"{origin}/auth/logout/provider?to={reference}"


def _at_provider(parts: SignIn) -> Response:
    """Send the browser on to the provider's own sign-out."""
    about = _opened(parts, _hash(request.args.get("to", "")))
    if not about:
        return see_other("/")
    out = EndSession(about["endpoint"], about["params"])
    return see_other(out.url) if out.url else posting_page(out)


def _logged_out(parts: SignIn) -> Response:
    """Back from the provider's own sign-out; a state that is not ours leads nowhere else."""
    try:
        about = _opened(parts, request.args.get("state", ""))
    except StoreAway:
        about = {}  # they are signed out, and that is what they wanted
    return see_other(about.get("return_to", "/"))


def _opened(parts: SignIn, state: str) -> dict[str, Any]:
    """What was stored under a state at a sign-out, not long ago; empty if nothing was."""
    name = _name(state, own_origin(request))
    entry = parts.sessions.store.get(name)
    if entry is None:
        return {}
    try:
        about: dict[str, Any] = orjson.loads(parts.seal.open(entry.value, name))
    except BadSeal:
        return {}
    return about


def _name(state: str, origin: str) -> str:
    """The store's key of a sign-out under way, which counts at the host where it began."""
    return f"sign-out:{_hash(state)}:{_hash(origin)}"


def _hash(text: str) -> str:
    """The `state` of a reference: who knows it, as the provider does, cannot tell the other."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
