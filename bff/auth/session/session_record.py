"""What is known of a session: who has signed in at which browser, and the tokens of that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from bff.auth.oidc.login import Tokens
from bff.model.principal import Principal

_SHORT: Final = 16


@dataclass(frozen=True, slots=True)
class Session:
    """A browser at which somebody has signed in.

    Args:
        key: the hash of its id: what the store and other parts of ours know it by.
        version: the store's, as it was read.
        created: when it was signed in, in seconds since 1970.
        seen: when it was last used, to within a twentieth of the idle time.
        agent: what the browser says it is; for the person's list of devices.
        visitor: the id that the browser had before.
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
        """What a person may call it by; it opens nothing."""
        return sha256(f"public:{self.key}".encode()).hexdigest()[:_SHORT]

    def principal(self) -> Principal:
        """Who asks with this session."""
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
class KeptTokens:
    """The tokens of a session as the store has them.

    Args:
        obtained: when they came, in seconds since 1970.
        provider: the name of the provider they are from.
        lasts: when the session ends at the latest, in seconds since 1970.
        issuer: the provider's; empty of a session that an older version began.
        sid: the provider's own session.
    """

    tokens: Tokens
    obtained: float
    provider: str
    lasts: float
    version: str = ""
    issuer: str = ""
    sid: str = ""
