"""Who asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Principal:
    """Nobody, or a person as an issuer vouches for them (OpenID Connect Core, section 2).

    A subject is unique per issuer only, so neither is of use without the other.
    """

    issuer: str = ""
    subject: str = ""
    client: str = ""
    audience: str = ""
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)

    @property
    def signed_in(self) -> bool:
        """Whether anybody vouches for this person at all."""
        return bool(self.issuer and self.subject)


NOBODY = Principal()
