"""What a person may know of their sessions, and end; and what the provider may (back-channel)."""

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
from bff.web.access.endpoint import SignIn, add_endpoints, json_of
from bff.web.problem import problem

_NO_CONTENT: Final = 204
_MOST_TOKEN: Final = 16 * 1024  # bytes of a logout token


def session_routes(app: Flask, parts: SignIn) -> None:
    """`/auth/session`, `/auth/sessions` and `/auth/backchannel-logout`."""
    add_endpoints(
        app,
        parts,
        [
            ("GET", "/auth/session", _session),
            ("GET", "/auth/sessions", _sessions),
            ("DELETE", "/auth/sessions", _end_many),
            ("DELETE", "/auth/sessions/<public_id>", _end_one),
            ("POST", "/auth/backchannel-logout", _backchannel_logout),
        ],
    )


def _session(parts: SignIn) -> Response:
    """Whether somebody is signed in, who, and until when; asking puts the end off unless told."""
    slide = request.args.get("slide") != "false"
    session = session_of(request, parts.sessions, parts.cookies, parts.origins, slide=slide)
    if session is None:
        return json_of({"authenticated": False})
    left = parts.sessions.expires(session) - parts.sessions.now()
    return json_of(
        {
            "authenticated": True,
            "sub": session.subject,
            "claims": session.claims,
            "provider": session.provider,
            "expires_in": max(0, int(left)),
        }
    )


def _sessions(parts: SignIn) -> Response:
    """The devices at which this person is signed in."""
    session = _own(parts)
    found = parts.sessions.of_person(session.issuer, session.subject)
    return json_of(
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


def _end_one(parts: SignIn, public_id: str) -> Response:
    """Sign out one device, which may be this one."""
    session = _own(parts)
    for each in parts.sessions.of_person(session.issuer, session.subject):
        if each.public_id == public_id:
            return _ended(parts, session, [each])
    return problem(404, "there is no such session of yours")


def _end_many(parts: SignIn) -> Response:
    """Sign out everywhere; with `?keep=current`, everywhere else."""
    session = _own(parts)
    keep = request.args.get("keep")
    if keep not in {None, "current"}:
        return problem(400, "`keep` is `current`, or not given")
    found = parts.sessions.of_person(session.issuer, session.subject)
    return _ended(parts, session, [each for each in found if not keep or each.key != session.key])


def _ended(parts: SignIn, own: Session, those: list[Session]) -> Response:
    response = Response(status=_NO_CONTENT)
    del response.headers["Content-Type"]
    parts.end(those, own.key)
    for each in those:
        if each.key == own.key:
            response.headers.add("Set-Cookie", parts.cookies.drop_session(request))
    return response


def _own(parts: SignIn) -> Session:
    session = session_of(request, parts.sessions, parts.cookies, parts.origins)
    if session is None:
        raise LoginRequired("sign in first")
    return session


def _backchannel_logout(parts: SignIn) -> Response:
    """Back-Channel Logout 1.0, section 2.5: the provider says that somebody has signed out."""
    parts.limits.provider(client_address(request))
    if request.mimetype != "application/x-www-form-urlencoded":
        raise SignInFailed("a form with a logout_token is wanted")
    request.max_content_length = _MOST_TOKEN
    said = _logout_token(parts, request.form.get("logout_token", ""))
    seen = f"jti:{sha256(orjson.dumps([said.issuer, said.jti])).hexdigest()}"
    if parts.sessions.store.get(seen):
        raise SignInFailed("the token was used before")
    for key in parts.sessions.end_all(said.issuer, said.subject, said.sid):
        parts.observer(
            Audited("ended", said.issuer, said.subject, key, reason="backchannel", id=g.request_id)
        )
    parts.sessions.store.put(seen, b"", said.expires)  # last: what failed may be sent again
    return Response(status=200, mimetype="text/plain")


def _logout_token(parts: SignIn, token: str) -> LogoutToken:
    """The token, from whichever of our providers has signed it."""
    try:
        issuer = read(token).claims.get("iss")
    except BadToken as error:
        raise SignInFailed(f"the token does not count: {error}") from None
    for provider in parts.providers.values():
        if provider.provider.issuer == issuer:
            return provider.logout_token(token)
    raise SignInFailed("the token is from no provider of ours")
