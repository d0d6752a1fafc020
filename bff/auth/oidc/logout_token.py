"""Logout tokens: what a provider sends when somebody has signed out elsewhere.

OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from bff.auth.oidc.jwt import BadToken, Jwt, check_claims, text
from bff.model.access import Provider

_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_TYPES: Final = {"logout+jwt", "application/logout+jwt", "jwt", ""}
_LONGEST: Final = 3600.0  # seconds from a token's issue, or from now, to its end
_LASTS: Final = 120.0  # seconds after its issue, for one that does not say when it ends
MOST: Final = 8 * 1024  # characters of a logout token


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """Whose sessions are to end: those of `sid`, or all of the subject's where it is empty.

    Args:
        jti: what the token is known by, so that none counts twice.
        expires: until when it might be shown again, in seconds since 1970.
    """

    issuer: str
    subject: str
    sid: str
    jti: str = field(repr=False)
    expires: float


def read_logout_token(jwt: Jwt, provider: Provider, now: float) -> LogoutToken:
    """What a verified logout token asks for.

    Its `typ` is its own, `JWT` (Keycloak before 25) or missing; with another it may have been made
    for something else (RFC 8725, section 3.11). `exp` is required since the errata of December
    2023 only: without it (Ory Hydra, Keycloak before 22.0.8) a token counts for two minutes.

    Args:
        now: seconds since 1970.

    Raises:
        BadToken: it is no logout token, or not for us.
    """
    claims = jwt.claims
    if str(jwt.header.get("typ", "")).lower() not in _TYPES:
        raise BadToken("its typ is another's")
    leeway, audiences, ends = provider.leeway, [provider.client_id], "exp" in claims
    check_claims(claims, provider.issuer, audiences, now, leeway, subject=False, expires=ends)
    expires = claims["exp"] if ends else claims["iat"] + _LASTS
    subject, sid, jti = (text(claims, name) for name in ("sub", "sid", "jti"))
    if not subject and not sid:
        raise BadToken("it names neither a person nor a session")
    if not jti:
        raise BadToken("its jti is missing")
    if "nonce" in claims:
        raise BadToken("it has a nonce, as ID tokens have")
    if not _is_logout(claims.get("events")):
        raise BadToken("its events are not a logout")
    if expires < now - leeway:
        raise BadToken("it was issued too long ago (iat)")
    if expires - min(claims["iat"], now) > _LONGEST + leeway:
        raise BadToken("it lasts too long")
    return LogoutToken(provider.issuer, subject, sid, jti, expires + leeway)


def _is_logout(events: Any) -> bool:
    return isinstance(events, dict) and isinstance(events.get(_EVENT), dict)
