"""Logout tokens, which a provider sends when a user has signed out elsewhere.

OpenID Connect Back-Channel Logout 1.0, sections 2.4 and 2.6.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from bff.auth.oidc.jwt import BadToken, Jwt, check_claims, text
from bff.model.access import Provider

_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_TYPES: Final = {"logout+jwt", "application/logout+jwt", "jwt", ""}
_MAX_LIFETIME: Final = 3600.0  # seconds from a token's issue, or from now, to its expiry
_DEFAULT_LIFETIME: Final = 120.0  # seconds, for a token without `exp`
MAX_LENGTH: Final = 8 * 1024  # characters of a logout token


@dataclass(frozen=True, slots=True)
class LogoutToken:
    """The sessions to end: those of `sid`, or all of the subject if `sid` is empty.

    Args:
        jti: the id of the token, which detects replays.
        expires: until when a replay would be accepted, in seconds since 1970.
    """

    issuer: str
    subject: str
    sid: str
    jti: str = field(repr=False)
    expires: float


def read_logout_token(jwt: Jwt, provider: Provider, now: float) -> LogoutToken:
    """Validate the claims of a logout token whose signature was verified.

    `typ` is `logout+jwt`, `JWT` (Keycloak before 25) or missing; any other is an explicit type of
    another token (RFC 8725, section 3.11). `exp` is required only since the errata of December
    2023: without it (Ory Hydra, Keycloak before 22.0.8) a token is valid for two minutes.

    Args:
        now: seconds since 1970.

    Raises:
        BadToken: it is not a logout token, or has another issuer or audience.
    """
    claims = jwt.claims
    if str(jwt.header.get("typ", "")).lower() not in _TYPES:
        raise BadToken("its typ is not that of a logout token")
    leeway, audiences, ends = provider.leeway, [provider.client_id], "exp" in claims
    check_claims(claims, provider.issuer, audiences, now, leeway, subject=False, expires=ends)
    expires = claims["exp"] if ends else claims["iat"] + _DEFAULT_LIFETIME
    subject, sid, jti = (text(claims, name) for name in ("sub", "sid", "jti"))
    if not subject and not sid:
        raise BadToken("it has neither sub nor sid")
    if not jti:
        raise BadToken("its jti is missing")
    if "nonce" in claims:
        raise BadToken("it has a nonce, as ID tokens have")
    if not _is_logout(claims.get("events")):
        raise BadToken("its events are not a logout")
    if expires < now - leeway:
        raise BadToken("it was issued too long ago (iat)")
    if expires - min(claims["iat"], now) > _MAX_LIFETIME + leeway:
        raise BadToken("its lifetime is too long (exp)")
    return LogoutToken(provider.issuer, subject, sid, jti, expires + leeway)


def _is_logout(events: Any) -> bool:
    return isinstance(events, dict) and isinstance(events.get(_EVENT), dict)
