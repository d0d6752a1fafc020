"""The accounts and clients of the local provider, and authorization requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
# The grants of the token endpoint, with their `grant_type`.
GRANTS: Final[Mapping[str, str]] = {
    "authorization_code": "authorization_code",
    "refresh_token": "refresh_token",
    "client_credentials": "client_credentials",
    "token_exchange": EXCHANGE,
}


@dataclass(frozen=True, slots=True)
class Account:
    """A test account without a password."""

    subject: str
    claims: Mapping[str, Any]


def _account(subject: str, name: str, **claims: Any) -> Account:
    email = {"email": f"{subject}@example.com", "email_verified": True}
    return Account(subject, {"name": name, "preferred_username": subject, **email, **claims})


ACCOUNTS: Final[Mapping[str, Account]] = {
    each.subject: each
    for each in (
        _account("ada", "Ada Lovelace", plan="pro", tenant="acme"),
        _account("grace", "Grace Hopper", plan="pro", tenant="navy"),
    )
}


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """An application that is registered at the provider.

    Args:
        redirect_uris: redirect URIs; compared as text (RFC 9700, section 2.1).
        logout_uris: URIs that a logout may redirect to.
        backchannel_uri: receives logout tokens; empty for none.
    """

    id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    logout_uris: tuple[str, ...] = ()
    backchannel_uri: str = ""


class OAuthError(Exception):
    """A request is answered with an OAuth error (RFC 6749, sections 4.1.2.1 and 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error, self.description = error, description


_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
_CHALLENGE: Final = 43  # characters of a SHA-256 in base64url
_LONGEST: Final = {"state": 4096, "nonce": 512}  # maximum characters
_MOST_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A validated authorization request (OpenID Connect Core, section 3.1.2.1).

    Args:
        challenge: of PKCE, by S256 (RFC 7636).
        max_age: the most seconds since authentication; None for any.
        audience: of the access token; empty for the client itself.
        hint: the account that the client expects (`login_hint`).
    """

    client: RegisteredClient
    redirect_uri: str
    challenge: str
    scope: str
    nonce: str
    prompt: frozenset[str]
    max_age: int | None
    acr_values: tuple[str, ...]
    audience: str
    hint: str


def read_authorization(
    parameters: Mapping[str, Sequence[str]], client: RegisteredClient, redirect_uri: str
) -> AuthorizationRequest:
    """Validate an authorization request, once its client and redirect_uri are valid.

    Raises:
        OAuthError: it is not an OpenID Connect request for a code with PKCE.
    """
    if repeated := [name for name, values in parameters.items() if len(values) > 1]:
        raise OAuthError("invalid_request", f"repeated parameters: {', '.join(repeated)}")
    given = {name: values[0] for name, values in parameters.items()}
    if "request" in given or "request_uri" in given:
        raise OAuthError("request_not_supported", "request objects are not supported")
    if given.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be `code`")
    if given.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "response_mode must be `query`")
    challenge = given.get("code_challenge", "")
    if given.get("code_challenge_method") != "S256" or len(challenge) != _CHALLENGE:
        raise OAuthError("invalid_request", "PKCE with S256 is required (RFC 7636)")
    if "openid" not in given.get("scope", "").split():
        raise OAuthError("invalid_scope", "scope must contain `openid`")
    if any(len(given.get(name, "")) > longest for name, longest in _LONGEST.items()):
        raise OAuthError("invalid_request", "state or nonce is too long")
    return AuthorizationRequest(
        client,
        redirect_uri,
        challenge,
        given["scope"],
        given.get("nonce", ""),
        _prompt(given.get("prompt", "").split()),
        _max_age(given.get("max_age")),
        tuple(given.get("acr_values", "").split()),
        given.get("audience") or given.get("resource") or client.id,
        given.get("login_hint", ""),
    )


def _prompt(words: Iterable[str]) -> frozenset[str]:
    prompt = frozenset(words)
    if prompt - _PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise OAuthError(
            "invalid_request", "prompt must be `none`, or of `login select_account consent`"
        )
    return prompt


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise OAuthError("invalid_request", "max_age must be a number of seconds")
    return int(text)
