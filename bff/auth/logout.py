"""Logout tokens: what a provider sends when somebody has signed out elsewhere.

OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from bff.auth.jwt import BadToken, Jwt, check_claims, text
from bff.model.access import Provider

_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_TYPES: Final = {"logout+jwt", "application/logout+jwt"}
_LONGEST: Final = 3600.0  # seconds from a token's issue, or from now, to its end
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

    Without `typ` one is taken, as the specification has it; with another `typ`, the common `JWT`
    too, it is not: it may have been made for something else (RFC 8725, section 3.11).

    Args:
        now: seconds since 1970.

    Raises:
        BadToken: it is no logout token, or not for us.
    """
    claims = jwt.claims
    if "typ" in jwt.header and str(jwt.header["typ"]).lower() not in _TYPES:
        raise BadToken("its typ is another's")
    leeway = provider.leeway
    check_claims(claims, provider.issuer, [provider.client_id], now, leeway, subject=False)
    subject, sid, jti = (text(claims, name) for name in ("sub", "sid", "jti"))
    if not subject and not sid:
        raise BadToken("it names neither a person nor a session")
    if not jti:
        raise BadToken("its jti is missing")
    if "nonce" in claims:
        raise BadToken("it has a nonce, as ID tokens have")
    if not _is_logout(claims.get("events")):
        raise BadToken("its events are not a logout")
    if claims["exp"] - min(claims["iat"], now) > _LONGEST + leeway:
        raise BadToken("it lasts too long")
    return LogoutToken(provider.issuer, subject, sid, jti, claims["exp"] + leeway)


def _is_logout(events: Any) -> bool:
    return isinstance(events, dict) and isinstance(events.get(_EVENT), dict)
