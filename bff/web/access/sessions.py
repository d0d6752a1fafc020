"""Session endpoints: a user lists and ends sessions; a provider ends them (back-channel)."""

from hashlib import sha256
from typing import Final

import orjson
from flask import Flask, Response, g, request

from bff.auth.oidc.jwt import BadToken, read
from bff.auth.oidc.logout_token import LogoutToken
from bff.auth.session.sessions import Session
from bff.errors import LoginRequired, SignInFailed
from bff.observe.events import Audited
from bff.web.access.address import client_address
from bff.web.access.authenticate import session_of
from bff.web.access.endpoint import AuthContext, add_endpoints, json_response
from bff.web.problem import problem

_NO_CONTENT: Final = 204
_MAX_TOKEN: Final = 16 * 1024  # bytes of a logout token


def session_routes(app: Flask, auth: AuthContext) -> None:
    """`/auth/session`, `/auth/sessions` and `/auth/backchannel-logout`."""
    add_endpoints(
        app,
        auth,
        [
            ("GET", "/auth/session", _session),
            ("GET", "/auth/sessions", _sessions),
            ("DELETE", "/auth/sessions", _end_many),
            ("DELETE", "/auth/sessions/<public_id>", _end_one),
            ("POST", "/auth/backchannel-logout", _backchannel_logout),
        ],
    )


def _session(auth: AuthContext) -> Response:
    """The state of the session; extends its idle time unless `?slide=false`."""
    slide = request.args.get("slide") != "false"
    session = session_of(request, auth.sessions, auth.cookies, auth.origins, slide=slide)
    if session is None:
        return json_response({"authenticated": False})
    left = auth.sessions.expires(session) - auth.sessions.now()
    return json_response(
        {
            "authenticated": True,
            "sub": session.subject,
            "claims": session.claims,
            "provider": session.provider,
            "expires_in": max(0, int(left)),
        }
    )


def _sessions(auth: AuthContext) -> Response:
    """List the sessions of the user."""
    session = _current(auth)
    found = auth.sessions.of_person(session.issuer, session.subject)
    return json_response(
        {
            "sessions": [
                {
                    "id": each.public_id,
                    "current": each.key == session.key,
                    "created": int(each.created),
                    "seen": int(each.seen),
                    "agent": each.agent,
                    "provider": each.provider,
                }
                for each in found
            ]
        }
    )


def _end_one(auth: AuthContext, public_id: str) -> Response:
    """End one session of the user, which may be the current one."""
    session = _current(auth)
    for each in auth.sessions.of_person(session.issuer, session.subject):
        if each.public_id == public_id:
            return _end(auth, session, [each])
    return problem(404, "no such session")


def _end_many(auth: AuthContext) -> Response:
    """End all sessions of the user; with `?keep=current`, all others."""
    session = _current(auth)
    keep = request.args.get("keep")
    if keep not in {None, "current"}:
        return problem(400, "`keep` must be `current` or absent")
    found = auth.sessions.of_person(session.issuer, session.subject)
    return _end(auth, session, [each for each in found if not keep or each.key != session.key])


def _end(auth: AuthContext, own: Session, those: list[Session]) -> Response:
    response = Response(status=_NO_CONTENT)
    del response.headers["Content-Type"]
    auth.end_sessions(those, own.key)
    for each in those:
        if each.key == own.key:
            response.headers.add("Set-Cookie", auth.cookies.clear_session(request))
    return response


def _current(auth: AuthContext) -> Session:
    session = session_of(request, auth.sessions, auth.cookies, auth.origins)
    if session is None:
        raise LoginRequired("sign in first")
    return session


def _backchannel_logout(auth: AuthContext) -> Response:
    """End the sessions that a provider names (OpenID Connect Back-Channel Logout 1.0, 2.5)."""
    auth.limits.count_logout(client_address(request))
    if request.mimetype != "application/x-www-form-urlencoded":
        raise SignInFailed("the request must be a form with a `logout_token`")
    request.max_content_length = _MAX_TOKEN
    token = _logout_token(auth, request.form.get("logout_token", ""))
    used = f"jti:{sha256(orjson.dumps([token.issuer, token.jti])).hexdigest()}"
    if auth.sessions.store.get(used):
        raise SignInFailed("the logout token has been used already")
    for key in auth.sessions.end_all(token.issuer, token.subject, token.sid):
        auth.observer(
            Audited(
                "ended", token.issuer, token.subject, key, reason="backchannel", id=g.request_id
            )
        )
    # last, so that the provider can repeat a request that failed
    auth.sessions.store.put(used, b"", token.expires)
    return Response(status=200, mimetype="text/plain")


def _logout_token(auth: AuthContext, token: str) -> LogoutToken:
    """The validated logout token; its issuer selects the provider."""
    try:
        issuer = read(token).claims.get("iss")
    except BadToken as error:
        raise SignInFailed(f"invalid logout token: {error}") from None
    for provider in auth.providers.values():
        if provider.provider.issuer == issuer:
            return provider.logout_token(token)
    raise SignInFailed("the issuer is not a configured provider")
