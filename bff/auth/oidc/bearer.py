"""Bearer tokens: validates JWT access tokens of requests (RFC 6750, RFC 9068).

An ID token is refused, even if it is signed by the right issuer: it states that a user has signed
in, and does not authorize the client that presents it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bff.auth.oidc.cached_document import CachedDocument
from bff.auth.oidc.http import Http, shown
from bff.auth.oidc.jwt import BadToken, Jwt, check_claims, read, text, verify
from bff.auth.oidc.keys import Keys, cached_keys
from bff.auth.oidc.metadata import discover, may_be_declared
from bff.auth.renewal import RunInBackground
from bff.errors import InvalidToken, ProviderMisconfigured
from bff.model.access import Issuer
from bff.model.principal import Principal
from bff.model.service import Tls

_MAX_LENGTH: Final = 8 * 1024  # characters of a token
# RFC 9068, section 2.1, requires the first; most providers still write the third, or none
_TYPES: Final = {"at+jwt", "application/at+jwt", "jwt", ""}
_FOREIGN_CLAIMS: Final = ("at_hash", "c_hash", "s_hash", "events")  # of ID and logout tokens
# The claims by which Keycloak (typ) and Cognito (token_use) mark other kinds of tokens
_OTHER_USES: Final = {"typ": {"ID", "Refresh", "Offline", "Logout"}, "token_use": {"id", "refresh"}}


@dataclass(frozen=True, slots=True)
class _KnownIssuer:
    issuer: Issuer
    keys: CachedDocument[Keys]


class Bearer:
    """Validates access tokens of the declared issuers; keys are fetched when first needed.

    Args:
        http: makes the HTTP client for an issuer, with its declared TLS.
        now: seconds since 1970.
        later: runs a job in the background.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        http: Callable[[Tls | None], Http],
        now: Callable[[], float],
        later: RunInBackground,
        *,
        development: bool = False,
    ) -> None:
        self._now = now
        self._known = {
            each.issuer: _KnownIssuer(
                each, _keys(each, http(each.tls), now, later, development=development)
            )
            for each in issuers
        }

    def principal(self, token: str) -> Principal:
        """The principal of a valid access token.

        Raises:
            InvalidToken: the token is not valid; the message may be an `error_description`
                (RFC 6750, section 3).
            ProviderAway: its signing key is unknown, and the issuer's keys cannot be fetched.
        """
        try:
            jwt = read(token, _MAX_LENGTH)
            known = self._issuer(jwt)
            verify(jwt, known.keys, known.issuer.algorithms)
            return _principal(jwt, known.issuer, token, self._now())
        except BadToken as error:
            raise InvalidToken(f"the access token is not valid: {error}") from None

    def _issuer(self, jwt: Jwt) -> _KnownIssuer:
        """The issuer that the token claims; its keys decide whether that is true."""
        known = self._known.get(text(jwt.claims, "iss"))
        if known is None:
            raise BadToken("its issuer is not known here (iss)")
        return known


def _principal(jwt: Jwt, issuer: Issuer, token: str, now: float) -> Principal:
    claims = jwt.claims
    _check_use(jwt)
    check_claims(claims, issuer.issuer, issuer.audience, now, issuer.leeway)
    return Principal(
        issuer=issuer.issuer,
        subject=text(claims, "sub"),
        client=text(claims, "client_id") or text(claims, "azp"),
        audience=next(each for each in issuer.audience if each in jwt.audiences),
        scopes=_scopes(claims),
        claims={name: claims[name] for name in issuer.claims if name in claims},
        acr=text(claims, "acr"),
        token=token,
    )


def _check_use(jwt: Jwt) -> None:
    """Check that it is an access token (RFC 8725, section 3.11; RFC 9068, section 4).

    Raises:
        BadToken: it is another kind of token, or sender-constrained.
    """
    if str(jwt.header.get("typ", "")).lower() not in _TYPES:
        raise BadToken("its typ is not that of an access token")
    claims = jwt.claims
    foreign = any(name in claims for name in _FOREIGN_CLAIMS)
    # Keycloak before 25 puts the nonce of the sign-in into access tokens, with typ "Bearer"
    foreign = foreign or ("nonce" in claims and claims.get("typ") != "Bearer")
    if foreign or any(claims.get(name) in uses for name, uses in _OTHER_USES.items()):
        raise BadToken("it is not an access token")
    if "cnf" in claims:  # RFC 7800: bound to a key, by mTLS (RFC 8705) or DPoP (RFC 9449)
        raise BadToken("it is bound to a key (cnf), and proof of possession is not supported")


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of a token: `scope` (RFC 9068, section 2.2.3), or `scp` as a list or a string."""
    given = claims.get("scope", claims.get("scp", ""))
    listed = given.split() if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise BadToken("its scope is wrong")
    return frozenset(listed)


def _keys(
    issuer: Issuer,
    http: Http,
    now: Callable[[], float],
    later: RunInBackground,
    *,
    development: bool,
) -> CachedDocument[Keys]:
    """The keys of an issuer: at the declared `jwks`, or at the `jwks_uri` of its metadata."""
    timeout = issuer.timeout
    if not issuer.jwks:
        needed = ("jwks_uri",)
        metadata = CachedDocument(
            lambda: discover(http, issuer.issuer, needed, timeout, development=development),
            now,
            later,
        )
        return cached_keys(http, lambda: metadata.get().jwks_uri, timeout, now, later)
    return cached_keys(http, lambda: _declared(issuer), timeout, now, later)


def _declared(issuer: Issuer) -> str:
    if not may_be_declared(issuer.jwks):
        message = f"the address of the keys, {shown(issuer.jwks)}, is neither https nor loopback"
        raise ProviderMisconfigured(message)
    return issuer.jwks
