"""JSON Web Tokens (RFC 7519, RFC 8725): parsing, signature verification, claims.

joserfc verifies signatures. What it leaves to its callers is here:

1. algorithms are an explicit list of asymmetric ones (RFC 8725, section 3.1): neither `none`, nor
   HS256 with a public key as its secret;
2. keys come from the issuer only, never from the token's header (`jwk`, `jku`, `x5c`, `x5u`);
3. a token with critical extensions (`crit`) is refused, as none is implemented (RFC 7515, section
   4.1.11).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry

from bff.auth.oidc.cached_document import CachedDocument
from bff.auth.oidc.keys import Keys, fitting
from bff.errors import BffError, ProviderAway
from bff.model.json_text import decode_json

ASYMMETRIC: Final = frozenset(
    {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)}
    | {"EdDSA", "Ed25519"}
)
# See 2 and 3 of the module's text
_REFUSED: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64"})
_MAX_LENGTH: Final = 64 * 1024  # characters
_TIMES: Final = {"exp", "iat", "nbf"}


class BadToken(BffError):
    """A token that is not valid; the message contains nothing of it and may be shown."""


class StaleToken(BadToken):
    """A token that is expired, not yet valid, or of another sign-in: a new one may be valid."""


class UnknownKey(BadToken):
    """A token that is signed with a key which the issuer does not publish, or not yet."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """A parsed token; its claims must not be trusted before `verify`."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    signed: CompactSignature = field(repr=False)

    @property
    def algorithm(self) -> str:
        """The `alg` of its header."""
        return str(self.header["alg"])

    @property
    def audiences(self) -> list[str]:
        """The audiences (`aud`), which may be one string or a list."""
        audience = self.claims.get("aud", [])
        return audience if isinstance(audience, list) else [audience]


class AllowList(JWSRegistry):
    """A registry of allowed algorithms, asymmetric ones only.

    joserfc's own registry falls back to a default list (with HS256) if the given one is empty, and
    warns about EdDSA, the name under which most providers still sign with Ed25519 (RFC 9864).
    """

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=ASYMMETRIC & frozenset(algorithms), strict_check_header=False)

    def get_alg(self, name: str) -> JWSAlgModel:
        """An allowed algorithm.

        Raises:
            BadToken: it is not allowed.
        """
        if name not in (self.allowed or ()):
            raise BadToken("its signature algorithm (alg) is not allowed")
        return self.algorithms[name]


def read(token: str, max_length: int = _MAX_LENGTH) -> Jwt:
    """Parse a token in compact serialization (RFC 7515, section 3.1).

    Args:
        max_length: characters.

    Raises:
        BadToken: it is malformed, or has a header parameter that is not accepted.
    """
    if len(token) > max_length or not token.isascii():
        raise BadToken("it is malformed")
    try:
        signed = extract_compact(token.encode(), registry=AllowList(ASYMMETRIC))
        claims = decode_json(signed.payload, halves=False)
    except (JoseError, ValueError, TypeError, RecursionError):
        raise BadToken("it is malformed") from None
    header: Any = signed.headers()
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise BadToken("it is malformed")
    if not _REFUSED.isdisjoint(header):
        raise BadToken("its header has a parameter that is not accepted")
    return Jwt(header, claims, signed)


def verify(
    jwt: Jwt,
    document: CachedDocument[Keys],
    algorithms: Collection[str],
    *,
    unauthenticated: bool = True,
) -> None:
    """Verify a token's signature; the keys are fetched again if none of the cached ones matches.

    Args:
        unauthenticated: whether any client may have sent the token; False if it came from the
            provider itself. See `CachedDocument.newer`.

    Raises:
        BadToken: the signature is wrong or its algorithm not allowed.
        UnknownKey: no published key matches.
        ProviderAway: no cached key matches, and keys cannot be fetched.
    """
    registry = AllowList(algorithms)
    try:
        registry.check_header(dict(jwt.header))
    except JoseError:
        raise BadToken("its header is malformed") from None
    registry.get_alg(jwt.algorithm)
    keys = document.get()
    found = _candidates(jwt, keys)
    if any(_is_signed(jwt, key, registry) for key in found):
        return
    try:
        newer = document.newer(keys, unauthenticated=unauthenticated)
    except ProviderAway:
        if found:
            raise BadToken("its signature is wrong") from None
        raise
    others = _candidates(jwt, newer) if newer is not keys else ()
    if any(_is_signed(jwt, key, registry) for key in others):
        return
    if not found and not others:
        raise UnknownKey("its signature is wrong: no published key matches its kid and alg")
    raise BadToken("its signature is wrong")


def check_claims(
    claims: Mapping[str, Any],
    issuer: str,
    audiences: Collection[str],
    now: float,
    leeway: float,
    *,
    subject: bool = True,
    expires: bool = True,
) -> None:
    """Check the claims that all accepted tokens have: `iss`, `aud`, `exp`, `iat`, `nbf`, `sub`.

    Args:
        audiences: of which the token must have one.
        now: seconds since 1970.
        leeway: seconds by which the issuer's clock may differ.
        subject: whether `sub` is required.
        expires: whether `exp` is required.

    Raises:
        BadToken: one is missing or wrong.
        StaleToken: the token has expired, or is not yet valid (`nbf`).
    """
    registry = JWTClaimsRegistry(
        now=int(now),
        leeway=int(leeway),
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "values": list(audiences)},
        exp={"essential": expires},
        iat={"essential": True},
        sub={"essential": subject},
    )
    try:
        registry.validate(dict(claims))
    except ExpiredTokenError:
        raise StaleToken("it has expired (exp)") from None
    except ClaimError as error:
        kind = StaleToken if error.claim in _TIMES else BadToken
        raise kind(f"its {error.claim} is missing or wrong") from None


def text(claims: Mapping[str, Any], name: str) -> str:
    """A claim that is a string; empty if there is none.

    Raises:
        BadToken: it is not a string.
    """
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise BadToken(f"its {name} is wrong")
    return value


def _candidates(jwt: Jwt, keys: Keys) -> Sequence[Key]:
    """The keys that may have signed a token (OpenID Connect Core, section 10.1).

    1. With `kid`: the keys of this id. Ids should be unique (RFC 7517, section 4.5), but some
       providers list a key twice.
    2. Without `kid`: the only key that fits its algorithm.

    Raises:
        BadToken: it has no `kid`, and several keys fit.
    """
    kid = jwt.header.get("kid")
    found = fitting(keys, jwt.algorithm, kid)
    if kid is None and len(found) > 1:
        raise BadToken("its kid is missing, and several keys match")
    return found


def _is_signed(jwt: Jwt, key: Key, registry: AllowList) -> bool:
    try:
        return validate_compact(jwt.signed, key, registry=registry)
    except (JoseError, ValueError):
        return False
