"""Who can sign in at the local provider, and what an authorization request asks of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

EXCHANGE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
# What the token endpoint gives tokens for, and under which `grant_type` it is asked.
GRANTS: Final[Mapping[str, str]] = {
    "authorization_code": "authorization_code",
    "refresh_token": "refresh_token",
    "client_credentials": "client_credentials",
    "token_exchange": EXCHANGE,
}


@dataclass(frozen=True, slots=True)
class Account:
    """A test account; nobody needs a password for it."""

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
class Client:
    """An application that people sign in to.

    Args:
        redirect_uris: where codes may be sent; compared as text (RFC 9700, section 2.1).
        logout_uris: where a sign-out may come back to.
        backchannel_uri: what is told that a session has ended; empty for nobody.
    """

    id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    logout_uris: tuple[str, ...] = ()
    backchannel_uri: str = ""


class Refused(Exception):
    """A request that is answered with an OAuth error (RFC 6749, sections 4.1.2.1 and 5.2)."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.error, self.description = error, description


_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})
_CHALLENGE: Final = 43  # characters of a SHA-256 in base64url
_LONGEST: Final = {"state": 4096, "nonce": 512}  # characters of what is sent back
_MOST_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Authorization:
    """An authorization request that has been checked (OpenID Connect Core, section 3.1.2.1).

    Args:
        challenge: of PKCE, by S256 (RFC 7636).
        max_age: seconds since the person proved who they are; None for any.
        audience: whom the access token is for; the client itself if not said.
        hint: the account that the client expects.
    """

    client: Client
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
    parameters: Mapping[str, Sequence[str]], client: Client, redirect_uri: str
) -> Authorization:
    """Check what is asked, once it is known whom an error may be sent to.

    Raises:
        Refused: it is not a request for a code by OpenID Connect, or not with PKCE.
    """
    if repeated := [name for name, values in parameters.items() if len(values) > 1]:
        raise Refused("invalid_request", f"given twice: {', '.join(repeated)}")
    given = {name: values[0] for name, values in parameters.items()}
    if "request" in given or "request_uri" in given:
        raise Refused("request_not_supported", "requests are parameters here")
    if given.get("response_type") != "code":
        raise Refused("unsupported_response_type", "response_type is `code` here")
    if given.get("response_mode", "query") != "query":
        raise Refused("invalid_request", "response_mode is `query` here")
    challenge = given.get("code_challenge", "")
    if given.get("code_challenge_method") != "S256" or len(challenge) != _CHALLENGE:
        raise Refused("invalid_request", "PKCE is needed, by S256 (RFC 7636)")
    if "openid" not in given.get("scope", "").split():
        raise Refused("invalid_scope", "scope has to contain `openid`")
    if any(len(given.get(name, "")) > longest for name, longest in _LONGEST.items()):
        raise Refused("invalid_request", "state or nonce is too long")
    return Authorization(
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
        raise Refused("invalid_request", "prompt is `none`, or of `login select_account consent`")
    return prompt


def _max_age(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise Refused("invalid_request", "max_age is a number of seconds")
    return int(text)
