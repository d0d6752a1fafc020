"""The principal: the authenticated user of a request, or an anonymous one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from orjson import dumps


@dataclass(frozen=True)
class Principal:
    """An anonymous caller, or a user identified by an issuer (OpenID Connect Core, section 2).

    A subject is unique per issuer only: the two identify a user together.

    Args:
        acr: the authentication context class (OpenID Connect Core, section 2).
        visitor: an opaque id of the browser, which is set before sign-in and survives it.
        session: the key of the session in its store; empty for a bearer token.
        token: the access token of a bearer; not part of the repr, so that it reaches no log.
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
        """True if an issuer has identified the user."""
        return bool(self.issuer and self.subject)

    @cached_property
    def identity(self) -> str:
        """The key under which data of this user is cached; it is never shared between users.

        A web session and a token with fewer scopes have different keys, and share no entries.
        """
        about = [self.issuer, self.subject, self.client, self.audience, sorted(self.scopes)]
        return sha256(dumps([*about, self.acr])).hexdigest()


NOBODY = Principal()
