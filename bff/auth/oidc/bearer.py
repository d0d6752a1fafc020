"""Bearer tokens: whose access token a request carries (RFC 6750, RFC 9068), and for whom.

An ID token is no access token, whoever signed it: it says that somebody has signed in, not that
whoever shows it may ask in their name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bff.auth.oidc.cached_document import Published
from bff.auth.oidc.http import Http, shown
from bff.auth.oidc.jwt import BadToken, Jwt, check_claims, read, text, verify
from bff.auth.oidc.keys import Keys, published_keys
from bff.auth.oidc.metadata import discover, may_be_declared
from bff.auth.renewal import Later
from bff.errors import InvalidToken, ProviderMisconfigured
from bff.model.access import Issuer
from bff.model.principal import Principal
from bff.model.service import Tls

_MOST: Final = 8 * 1024  # characters of a token
# RFC 9068 wants the first; most providers still write the third, or nothing
_TYPES: Final = {"at+jwt", "application/at+jwt", "jwt", ""}
_OF_OTHERS: Final = ("at_hash", "c_hash", "s_hash", "events")  # of ID and logout tokens
# What Keycloak and Cognito call their other tokens, in the claims
_OTHER_USES: Final = {"typ": {"ID", "Refresh", "Offline", "Logout"}, "token_use": {"id", "refresh"}}


@dataclass(frozen=True, slots=True)
class _Known:
    issuer: Issuer
    keys: Published[Keys]


class Bearer:
    """Knows the issuers whose tokens count; asks for their keys when one is first needed.

    Args:
        http: makes what asks for keys, with the TLS that is declared of an issuer.
        now: seconds since 1970.
        later: runs what no request waits for.
    """

    def __init__(
        self,
        issuers: Iterable[Issuer],
        http: Callable[[Tls | None], Http],
        now: Callable[[], float],
        later: Later,
        *,
        development: bool = False,
    ) -> None:
        self._now = now
        self._known = {
            each.issuer: _Known(
                each, _keys(each, http(each.tls), now, later, development=development)
            )
            for each in issuers
        }

    def principal(self, token: str) -> Principal:
        """Who asks with an access token.

        Raises:
            InvalidToken: it does not count; the message is a description as RFC 6750 allows.
            ProviderAway: its key is not known, and cannot be asked for.
        """
        try:
            jwt = read(token, _MOST)
            known = self._issuer(jwt)
            verify(jwt, known.keys, known.issuer.algorithms)
            return _principal(jwt, known.issuer, token, self._now())
        except BadToken as error:
            raise InvalidToken(f"the access token does not count: {error}") from None

    def _issuer(self, jwt: Jwt) -> _Known:
        """Who a token says has issued it: whose keys it is verified with."""
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
    """Check that a token was made to be shown to us (RFC 8725, section 3.11; RFC 9068, section 4).

    Raises:
        BadToken: it was made for something else.
    """
    if str(jwt.header.get("typ", "")).lower() not in _TYPES:
        raise BadToken("its typ is not that of an access token")
    claims = jwt.claims
    foreign = any(name in claims for name in _OF_OTHERS)
    # Keycloak before 25 writes the nonce of the sign-in into access tokens, and what they are
    foreign = foreign or ("nonce" in claims and claims.get("typ") != "Bearer")
    if foreign or any(claims.get(name) in uses for name, uses in _OTHER_USES.items()):
        raise BadToken("it is no access token")
    if "cnf" in claims:  # RFC 7800: whoever shows it has to prove a key (RFC 8705, RFC 9449)
        raise BadToken("it is bound to a key (cnf), which cannot be proven here")


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """What the token is good for: `scope` as RFC 9068 has it, or `scp` as a list or a text."""
    given = claims.get("scope", claims.get("scp", ""))
    listed = given.split() if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise BadToken("its scope is wrong")
    return frozenset(listed)


def _keys(
    issuer: Issuer, http: Http, now: Callable[[], float], later: Later, *, development: bool
) -> Published[Keys]:
    """The keys of an issuer: at the address that is declared, or where its metadata says."""
    timeout = issuer.timeout
    if not issuer.jwks:
        needed = ("jwks_uri",)
        metadata = Published(
            lambda: discover(http, issuer.issuer, needed, timeout, development=development),
            now,
            later,
        )
        return published_keys(http, lambda: metadata.get().jwks_uri, timeout, now, later)
    return published_keys(http, lambda: _declared(issuer), timeout, now, later)


def _declared(issuer: Issuer) -> str:
    if not may_be_declared(issuer.jwks):
        message = f"the keys' address {shown(issuer.jwks)} is neither https nor on this machine"
        raise ProviderMisconfigured(message)
    return issuer.jwks
