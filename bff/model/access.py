"""How people sign in, and whose word counts, as declared."""

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
    """An OpenID provider that people sign in with, and we as its client.

    Args:
        issuer: its identifier; metadata is at `/.well-known/openid-configuration` below it.
        client_secret: for the `client_secret_*` methods.
        private_key: PEM, for `private_key_jwt` (RFC 7523).
        key_id: the `kid` of that key.
        auth: how we prove at its endpoints who we are (OpenID Connect Core, section 9).
        scopes: what is asked for at sign-in.
        claims: claims of the ID token that a session keeps, besides issuer and subject.
        params: further parameters of the authorization request, such as `audience`.
        algorithms: what its tokens may be signed with.
        timeout: seconds for one request to it.
        leeway: seconds by which its clock may differ from ours.
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
    """Whose bearer tokens count (RFC 9068, RFC 6750).

    Args:
        audience: names of which a token must name one.
        jwks: the address of its keys; found by its metadata if empty.
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
    """How long sessions live, where they are kept, and what their cookie is.

    Args:
        secrets: the first encrypts, all decrypt: that is how one is replaced.
        store: `sqlite:PATH`, `redis://...`, `rediss://...`; empty for SQLite in a folder of ours.
        idle: seconds without a request, after which a session is over.
        lifetime: seconds after sign-in, after which it is over whatever happens.
        prefix: the prefix of its cookie's name.
        return_to: origins besides our own that a sign-in may come back to.
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
    """How often, as `20/minute`; empty for no limit.

    Args:
        sign_in: sign-ins from one address.
        person: requests for views of one person, or of one address where nobody is signed in.
    """

    sign_in: str = "20/minute"
    person: str = ""


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that must be, or hold, one of some values.

    Args:
        path: as declared: a claim's name, or an expression over claims.
        select: finds what stands there, among the claims of a principal.
        roots: the claims that the expression reads.
    """

    path: str
    place: Place
    values: tuple[Any, ...]
    select: Callable[[Mapping[str, Any]], Any] = field(repr=False, compare=False)
    roots: frozenset[str] = frozenset()

    def kept_by(self, names: Iterable[str]) -> bool:
        """Whether a principal with these claims has what the path reads."""
        kept = frozenset(names)
        return self.path in kept or (bool(self.roots) and self.roots <= kept)


@dataclass(frozen=True, slots=True)
class Requirement:
    """What who asks must have besides being signed in.

    Args:
        scope: scopes, all of them.
        claims: claims, all of them.
    """

    scope: tuple[str, ...] = ()
    claims: tuple[RequiredClaim, ...] = ()
