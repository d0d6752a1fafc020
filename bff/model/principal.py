"""Who asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from orjson import dumps


@dataclass(frozen=True)
class Principal:
    """Nobody, or a person as an issuer vouches for them (OpenID Connect Core, section 2).

    A subject is unique per issuer only, so neither is of use without the other.

    Args:
        acr: how the person proved who they are (OpenID Connect Core, section 2).
        visitor: an opaque id of the browser, which is there before sign-in and survives it.
        session: the key of the session in its store; empty for a bearer token.
        token: the access token of a bearer; it goes to no log, hence is no part of the repr.
    """

    issuer: str = ""
    subject: str = ""
    client: str = ""
    audience: str = ""
    scopes: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict, compare=False)
    acr: str = ""
    visitor: str = ""
    session: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    @property
    def signed_in(self) -> bool:
        """Whether anybody vouches for this person at all."""
        return bool(self.issuer and self.subject)

    @cached_property
    def identity(self) -> str:
        """The key of whatever is kept for this person, and may be given to nobody else.

        A web session and a narrow token of the same person are two: they may not share entries.
        """
        about = [self.issuer, self.subject, self.client, self.audience, sorted(self.scopes)]
        return sha256(dumps([*about, self.acr])).hexdigest()


NOBODY = Principal()
