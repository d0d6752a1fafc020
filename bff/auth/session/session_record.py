"""The records of a session in the store: the signed-in user and browser, and the tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from bff.auth.oidc.login import Tokens
from bff.model.principal import Principal

_SHORT: Final = 16


@dataclass(frozen=True, slots=True)
class Session:
    """A user who is signed in at one browser.

    Args:
        key: the hash of the session id, by which all but the cookie refer to the session.
        version: of the store's entry, as it was read.
        created: when the user signed in, in seconds since 1970.
        seen: when it was last used, to within a twentieth of the idle time.
        agent: the User-Agent of the browser, for the user's list of devices.
        visitor: the id that the browser had while it was anonymous.
    """

    key: str
    provider: str
    issuer: str
    subject: str
    client: str
    created: float
    seen: float
    scopes: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    sid: str = ""
    acr: str = ""
    agent: str = ""
    visitor: str = ""
    version: str = ""

    @property
    def public_id(self) -> str:
        """An id that is shown to the user; it does not give access to the session."""
        return sha256(f"public:{self.key}".encode()).hexdigest()[:_SHORT]

    def principal(self) -> Principal:
        """The principal of requests with this session."""
        return Principal(
            issuer=self.issuer,
            subject=self.subject,
            client=self.client,
            audience=self.client,
            scopes=frozenset(self.scopes),
            claims=self.claims,
            acr=self.acr,
            visitor=self.visitor,
            session=self.key,
        )


@dataclass(frozen=True, slots=True)
class StoredTokens:
    """The tokens of a session in the store; the names of the fields are those of its JSON.

    Args:
        obtained: when they were issued, in seconds since 1970.
        provider: the name of their provider.
        lasts: the end of the session's lifetime, in seconds since 1970.
        issuer: of the provider; empty in sessions of older versions of this program.
        sid: the id of the provider's session.
    """

    tokens: Tokens
    obtained: float
    provider: str
    lasts: float
    version: str = ""
    issuer: str = ""
    sid: str = ""
