"""Values of the authorization code flow: its request, its state, tokens, and the user."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """The parameters with which a browser starts a sign-in.

    Args:
        provider: the name of the provider.
        return_to: where the browser goes afterwards.
        max_age: the largest number of seconds since the user authenticated; None for no limit.
        acr_values: accepted authentication contexts, by preference; empty for any.
        prompt: as in OpenID Connect Core, section 3.1.2.1; empty for the provider's default.
        previous: the key of the session that the new one replaces.
    """

    provider: str
    return_to: str
    max_age: int | None = None
    acr_values: str = ""
    prompt: str = ""
    previous: str = field(default="", repr=False)

    def path(self) -> str:
        """The path that starts the same sign-in again, with interaction."""
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
    """A sign-in in progress; only the browser that started it may complete it.

    Args:
        provider: the name of the provider.
        verifier: the `code_verifier` of PKCE (RFC 7636).
        return_to: where the browser goes afterwards.
        at: when it was started, in seconds since 1970.
        max_age: the largest number of seconds since the user authenticated; None for no limit.
        acr_values: accepted authentication contexts, by preference; empty for any.
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
    """A successful token response (RFC 6749, section 5.1).

    Args:
        expires: when the access token expires, in seconds since 1970.
        scope: space-delimited.
        subject: the `sub` of the ID token; empty if there was none.
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
    """A user, as identified by a validated ID token.

    Args:
        sid: the id of the provider's session (OpenID Connect Back-Channel Logout 1.0, section 2.1).
        acr: the authentication context.
        auth_time: when the user authenticated, in seconds since 1970.
        claims: the declared claims of the ID token.
    """

    issuer: str
    subject: str
    sid: str
    acr: str
    auth_time: float | None
    claims: Mapping[str, Any]
    tokens: Tokens
