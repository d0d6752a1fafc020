"""JSON Web Tokens (RFC 7519, RFC 8725): read, verified with a provider's keys, and checked.

The signatures are joserfc's. What it leaves to its callers is here: algorithms are an explicit list
without symmetric ones, a token never brings its own key, and nothing that it calls critical is
passed over.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
from joserfc.jwa import JWSAlgModel
from joserfc.jwk import Key
from joserfc.jws import CompactSignature, JWSRegistry, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry

from bff.auth.oidc.cached_document import Published
from bff.auth.oidc.keys import Keys, fitting
from bff.errors import BffError, ProviderAway
from bff.model.json_text import decode_json

ASYMMETRIC: Final = frozenset(
    {f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)}
    | {"EdDSA", "Ed25519"}
)
# A key that the token brings is anybody's; and no extension is known here that could be critical.
_REFUSED: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64"})
_MOST: Final = 64 * 1024  # characters
_TIMES: Final = {"exp", "iat", "nbf"}


class BadToken(BffError):
    """A token that does not count; the message is ours, and safe to tell."""


class StaleToken(BadToken):
    """One that is not for now, or not for this sign-in: the issuer's next one may count."""


class UnknownKey(BadToken):
    """One that names a key which the issuer does not publish, or not yet."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """A token as it was read; what it claims is worth nothing before it is verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any] = field(repr=False)
    signed: CompactSignature = field(repr=False)

    @property
    def algorithm(self) -> str:
        """What it says it is signed with."""
        return str(self.header["alg"])

    @property
    def audiences(self) -> list[str]:
        """Whom it is for."""
        audience = self.claims.get("aud", [])
        return audience if isinstance(audience, list) else [audience]


class AllowList(JWSRegistry):
    """Algorithms by name, asymmetric ones only.

    joserfc's own falls back to a list of its own (with HS256) where the one it is given is empty,
    and warns of EdDSA, under which name most providers still sign with Ed25519 (RFC 9864).
    """

    def __init__(self, algorithms: Collection[str]) -> None:
        super().__init__(algorithms=ASYMMETRIC & frozenset(algorithms), strict_check_header=False)

    def get_alg(self, name: str) -> JWSAlgModel:
        """An algorithm of the list.

        Raises:
            BadToken: it is on no list of ours.
        """
        if name not in (self.allowed or ()):
            raise BadToken("its signature is of a kind that is not accepted")
        return self.algorithms[name]


def read(token: str, most: int = _MOST) -> Jwt:
    """Take a token apart.

    Args:
        most: characters that it may have.

    Raises:
        BadToken: it is none, or asks for something that no token may ask for.
    """
    if len(token) > most or not token.isascii():
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
        raise BadToken("its header has a member that is not accepted")
    return Jwt(header, claims, signed)


def verify(
    jwt: Jwt, published: Published[Keys], algorithms: Collection[str], *, for_anybody: bool = True
) -> None:
    """Check a token's signature, with keys fetched anew if those that we have do not do.

    Args:
        for_anybody: whether anybody may have brought the token; not if the provider itself has.

    Raises:
        BadToken: it was signed otherwise, or by somebody else; UnknownKey if no key fits.
        ProviderAway: its key is not known, and cannot be asked for.
    """
    registry = AllowList(algorithms)
    try:
        registry.check_header(dict(jwt.header))
    except JoseError:
        raise BadToken("its header is malformed") from None
    registry.get_alg(jwt.algorithm)
    keys = published.get()
    found = _wanted(jwt, keys)
    if any(_is_signed(jwt, key, registry) for key in found):
        return
    try:
        newer = published.newer(keys, for_anybody=for_anybody)
    except ProviderAway:
        if found:
            raise BadToken("its signature is wrong") from None
        raise
    others = _wanted(jwt, newer) if newer is not keys else ()
    if any(_is_signed(jwt, key, registry) for key in others):
        return
    if not found and not others:
        raise UnknownKey("its signature is wrong: no published key fits its kid and alg")
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
    """Check what every token of ours has: `iss`, `aud`, `exp`, `iat`, and mostly `sub`.

    Args:
        audiences: of which it must name one.
        now: seconds since 1970.
        leeway: seconds by which the issuer's clock may be off.
        subject: whether there must be a `sub`.
        expires: whether there must be an `exp`.

    Raises:
        BadToken: one is missing or wrong.
        StaleToken: the token is over, or not yet valid (`nbf`).
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
    """A claim that is a text, empty if there is none.

    Raises:
        BadToken: it is something else.
    """
    value = claims.get(name, "")
    if not isinstance(value, str):
        raise BadToken(f"its {name} is wrong")
    return value


def _wanted(jwt: Jwt, keys: Keys) -> Sequence[Key]:
    """The keys that a token names, mostly one; without `kid` the only one that fits.

    OpenID Connect Core, section 10.1. A `kid` should be one key's (RFC 7517, section 4.5), and is
    several's where a provider lists a key twice.

    Raises:
        BadToken: it names none, and may be signed by any of several.
    """
    kid = jwt.header.get("kid")
    found = fitting(keys, jwt.algorithm, kid)
    if kid is None and len(found) > 1:
        raise BadToken("it does not say which key has signed it")
    return found


def _is_signed(jwt: Jwt, key: Key, registry: AllowList) -> bool:
    try:
        return validate_compact(jwt.signed, key, registry=registry)
    except (JoseError, ValueError):
        return False
