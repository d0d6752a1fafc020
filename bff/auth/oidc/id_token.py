"""Validation of ID tokens (OpenID Connect Core 1.0, sections 3.1.3.7 and 12.2).

Each check is made always, also if a claim or parameter is empty: every one of them has been found
missing in some client.
"""

import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from authlib.oidc.core.util import create_half_hash

from bff.auth.oidc.jwt import BadToken, Jwt, StaleToken, check_claims, text
from bff.auth.oidc.login import Login, SignedIn, Tokens
from bff.model.access import Provider

_ALIASES: Final = {"Ed25519": "EdDSA"}  # two names of one algorithm (RFC 9864)
# The claims by which Keycloak (typ) and Cognito (token_use) mark other kinds of tokens
_OTHER_USES: Final = {
    "typ": {"Bearer", "DPoP", "Refresh", "Offline", "Logout"},
    "token_use": {"access", "refresh"},
}


def check_id_token(jwt: Jwt, provider: Provider, access: str, now: float) -> None:
    """Check a verified ID token that came with an access token.

    Args:
        access: the access token.
        now: seconds since 1970.

    Raises:
        BadToken: its issuer or audience is another, it has expired, or it belongs to another
            access token.
    """
    claims = jwt.claims
    _check_use(jwt)
    check_claims(claims, provider.issuer, [provider.client_id], now, provider.leeway)
    party = text(claims, "azp")
    if (len(jwt.audiences) > 1 or "azp" in claims) and party != provider.client_id:
        raise BadToken("its azp is missing or wrong")
    if "at_hash" in claims:
        made = create_half_hash(access, _ALIASES.get(jwt.algorithm, jwt.algorithm))
        if not made or not hmac.compare_digest(made, text(claims, "at_hash").encode()):
            raise BadToken("its at_hash is wrong")
    text(claims, "sid")
    text(claims, "acr")


def _check_use(jwt: Jwt) -> None:
    """Check that it is an ID token (RFC 8725, section 3.11).

    ID tokens have no explicit type: `typ` is `JWT` or missing. `at+jwt`, `logout+jwt` and others
    with this suffix are explicit types of other tokens.

    Raises:
        BadToken: it is another kind of token.
    """
    if str(jwt.header.get("typ", "")).lower().endswith("+jwt"):
        raise BadToken("its typ is not that of an ID token")
    uses = any(jwt.claims.get(name) in others for name, others in _OTHER_USES.items())
    if uses or "events" in jwt.claims:
        raise BadToken("it is not an ID token")


def check_sign_in(claims: Mapping[str, Any], login: Login, now: float, leeway: float) -> None:
    """Check that an ID token belongs to this sign-in and satisfies its `max_age` and `acr_values`.

    `auth_time` is compared with the start of the sign-in, not with now: what the user does at the
    provider after that (a form, a consent) may take minutes.

    Args:
        now: seconds since 1970.
        leeway: seconds by which the provider's clock may differ.

    Raises:
        BadToken: it belongs to another sign-in, or does not satisfy what was requested.
    """
    nonce = text(claims, "nonce")
    if not nonce or not hmac.compare_digest(nonce.encode(), login.nonce.encode()):
        raise StaleToken("its nonce is missing or wrong")
    at = auth_time(claims)
    if at is not None and at > now + leeway:
        raise StaleToken("its auth_time is wrong")
    if login.max_age is not None and (
        at is None or at < int(login.at) - login.max_age - leeway  # auth_time is whole seconds
    ):
        raise StaleToken("its auth_time is missing or too long ago")
    if login.acr_values and text(claims, "acr") not in login.acr_values.split():
        raise StaleToken("its acr is none of those that were requested")


def signed_in(jwt: Jwt, tokens: Tokens, provider: Provider) -> SignedIn:
    """The user that a validated ID token identifies, with the tokens of the same response."""
    claims, subject = jwt.claims, jwt.claims["sub"]
    scope = tokens.scope or " ".join(provider.scopes)
    return SignedIn(
        issuer=provider.issuer,
        subject=subject,
        sid=text(claims, "sid"),
        acr=text(claims, "acr"),
        auth_time=auth_time(claims),
        claims={name: claims[name] for name in provider.claims if name in claims},
        tokens=replace(tokens, scope=scope, subject=subject),
    )


def auth_time(claims: Mapping[str, Any]) -> float | None:
    """The time of authentication (`auth_time`) in seconds since 1970; None if there is none.

    Raises:
        BadToken: it is not a number.
    """
    at = claims.get("auth_time")
    if at is None:
        return None
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise BadToken("its auth_time is wrong")
    return float(at)
