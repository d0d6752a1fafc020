"""Sign-in and bearer tokens, as declared: providers, issuers, sessions, limits, requirements."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bff.model.service import Tls
from bff.model.source import Place

Access = Literal["signed_in", "optional", "public"]
Csrf = Literal["header", "origin"]
ClientAuth = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
SameSite = Literal["Strict", "Lax"]
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class Provider:
    """An OpenID provider that users sign in with, and its registration of this application.

    Args:
        issuer: its identifier; metadata is at `/.well-known/openid-configuration` below it.
        client_secret: for the `client_secret_*` methods.
        private_key: PEM, for `private_key_jwt` (RFC 7523).
        key_id: the `kid` of that key.
        auth: how this client authenticates at its endpoints (OpenID Connect Core, section 9).
        scopes: those that are requested at sign-in.
        claims: claims of the ID token that a session stores, besides issuer and subject.
        params: further parameters of the authorization request, such as `audience`.
        algorithms: signature algorithms that its tokens may use.
        timeout: seconds for one request to it.
        leeway: seconds by which its clock may differ from the clock of this machine.
    """

    name: str
    place: Place
    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    key_id: str = ""
    auth: ClientAuth = "client_secret_basic"
    scopes: tuple[str, ...] = ("openid",)
    claims: tuple[str, ...] = ()
    params: Mapping[str, str] = field(default_factory=dict)
    algorithms: tuple[str, ...] = ALGORITHMS
    timeout: float = 5.0
    leeway: float = 30.0
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer whose bearer tokens are accepted (RFC 9068, RFC 6750).

    Args:
        audience: values of which a token's `aud` must contain one.
        jwks: the URL of its JWK Set; taken from its metadata if empty.
        claims: claims of the token that `session.claims` has.
    """

    name: str
    place: Place
    issuer: str
    audience: tuple[str, ...]
    jwks: str = ""
    claims: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ALGORITHMS
    timeout: float = 5.0
    leeway: float = 30.0
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class SessionRules:
    """How long sessions last, where they are stored, and what their cookie is called.

    Args:
        secrets: the first encrypts, all decrypt, so that a secret can be rotated.
        store: `sqlite:PATH`, `redis://...`, `rediss://...`; empty for SQLite below `BFF_STATE`.
        idle: seconds without a request after which a session expires.
        lifetime: seconds after sign-in at which it expires, however active it is.
        prefix: the prefix of its cookie's name (RFC 6265bis, section 4.1.3).
        return_to: other origins that a sign-in may redirect to.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)
    store: str = ""
    idle: float = 1800.0
    lifetime: float = 8 * 3600.0
    same_site: SameSite = "Strict"
    prefix: Literal["__Host-Http-", "__Host-"] = "__Host-Http-"
    return_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Rate limits, such as `20/minute`; empty for no limit.

    Args:
        sign_in: sign-ins from one address.
        person: requests for views of one user, or of one address where the caller is anonymous.
    """

    sign_in: str = "20/minute"
    person: str = ""


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that must equal, or contain, one of some values.

    Args:
        path: as declared: the name of a claim, or an expression over claims.
        select: evaluates the path on the claims of a principal.
        roots: the claims that the expression reads.
    """

    path: str
    place: Place
    values: tuple[Any, ...]
    select: Callable[[Mapping[str, Any]], Any] = field(repr=False, compare=False)
    roots: frozenset[str] = frozenset()

    def found_in(self, names: Iterable[str]) -> bool:
        """True if a principal with these claims has all that the path reads."""
        claims = frozenset(names)
        return self.path in claims or (bool(self.roots) and self.roots <= claims)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What a caller must have besides being signed in.

    Args:
        scope: scopes, all of them.
        claims: claims, all of them.
    """

    scope: tuple[str, ...] = ()
    claims: tuple[RequiredClaim, ...] = ()
