"""What a sign-in is made of: what is kept of it until it returns, and what it brings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What a browser that begins a sign-in asks for.

    Args:
        provider: the name of the provider.
        return_to: where the browser goes afterwards.
        max_age: seconds since the person last proved who they are, at most; None for any.
        acr_values: how they may prove it, by preference; empty for any way.
        prompt: what the provider asks them; empty for what it finds necessary.
        previous: the key of the session that the new one replaces.
    """

    provider: str
    return_to: str
    max_age: int | None = None
    acr_values: str = ""
    prompt: str = ""
    previous: str = field(default="", repr=False)

    def path(self) -> str:
        """The address at which a sign-in like this begins; people are asked again."""
        params = {
            "return_to": self.return_to if self.return_to != "/" else "",
            "max_age": "" if self.max_age is None else str(self.max_age),
            "acr_values": self.acr_values,
            "prompt": self.prompt if self.prompt != "none" else "",
        }
        query = urlencode({name: value for name, value in params.items() if value})
        return f"/auth/login/{quote(self.provider, safe='')}{'?' if query else ''}{query}"


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in on its way, as only the browser that began it may end it.

    Args:
        provider: the name of the provider.
        verifier: of PKCE (RFC 7636).
        return_to: where the browser goes afterwards.
        at: when it began, in seconds since 1970.
        max_age: seconds since the person last proved who they are, at most; None for any.
        acr_values: how they may prove it, by preference; empty for any way.
    """

    provider: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    return_to: str
    at: float
    max_age: int | None = None
    acr_values: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a provider's token endpoint has given.

    Args:
        expires: when the access token ends, in seconds since 1970.
        scope: what it is good for, space-delimited.
        subject: whose it is, by the ID token; empty where there was none.
    """

    access: str = field(repr=False)
    expires: float
    refresh: str = field(default="", repr=False)
    id_token: str = field(default="", repr=False)
    scope: str = ""
    subject: str = ""
    kind: str = "Bearer"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person, as a provider vouches for them.

    Args:
        sid: the provider's own session (OpenID Connect Back-Channel Logout 1.0, section 2.1).
        acr: how they proved who they are.
        auth_time: when they did, in seconds since 1970.
        claims: of the ID token, those that were declared.
    """

    issuer: str
    subject: str
    sid: str
    acr: str
    auth_time: float | None
    claims: Mapping[str, Any]
    tokens: Tokens
