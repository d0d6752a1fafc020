"""Whose credentials a service is called with: nobody's, the caller's, or our own."""

from base64 import b64encode
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import Key, Reader, one_of, table, text, wrong
from bff.declare.readers import NAME, REQUEST_HEADER
from bff.model.service import Grant
from bff.model.source import Place


def _secret(node: Node) -> str:
    """A secret, as it was referred to; what is wrong with one is said without it."""
    if not node.raw or not all("!" <= char <= "~" for char in node.raw):
        hint = "refer to it: `${file:/run/secrets/name}`"
        raise wrong(
            "wrong-value", node.place, "a secret of visible characters is wanted here", hint
        )
    return node.raw


SECRET: Final = Reader(_secret, {"type": ["string", "number", "boolean"]})


def _basic(user: str, password: str) -> tuple[str, str]:
    encoded = b64encode(f"{user}:{password}".encode()).decode()
    return "authorization", f"Basic {encoded}"


_BASIC: Final = table(
    lambda _, values: _basic(values["user"], values["password"]),
    {
        "user": Key(text(r"[^:\x00-\x1f]+", "a user's name"), "The name.", required=True),
        "password": Key(SECRET, "The password, by reference.", required=True),
    },
    "basic credentials",
)
_API_KEY: Final = table(
    lambda _, values: (values["header"], values["value"]),
    {
        "header": Key(REQUEST_HEADER, "The header that holds it.", "x-api-key"),
        "value": Key(SECRET, "The key, by reference.", required=True),
    },
    "an API key",
)
_GRANT: Final = table(
    lambda _, values: Grant(**values),
    {
        "audience": Key(text(r"\S+", "an audience"), "Whom the token is for."),
        "scope": Key(text(r"\S+( \S+)*", "scopes with spaces between"), "What it allows."),
        "provider": Key(NAME, "Who is asked; the first that is declared, if not said."),
    },
    "a grant",
)


def _one_kind(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    """What a service has for its credentials: their kind, and what that needs."""
    if len(values) != 1:
        raise wrong(
            "key-conflict",
            place,
            f"credentials are one of {', '.join(dict.fromkeys((*_WORDS, *_KINDS)))}",
        )
    ((kind, value),) = values.items()
    if kind in {"basic", "api_key"}:
        return {"credentials": "static", "secret": (value,)}
    return {"credentials": kind, "grant": value}


_WORDS: Final = ("none", "session", "relay", "exchange", "client")
_KINDS: Final = {
    "basic": Key(_BASIC, "RFC 7617."),
    "api_key": Key(_API_KEY, "A key in a header."),
    "exchange": Key(_GRANT, "A token made of the caller's, for this service (RFC 8693)."),
    "client": Key(_GRANT, "A token of our own (RFC 6749, section 4.4)."),
}
_WORD: Final = one_of(*_WORDS)
_TABLE: Final = table(_one_kind, _KINDS, "credentials")


def _read(node: Node) -> dict[str, Any]:
    if isinstance(node.value, dict):
        kind: dict[str, Any] = _TABLE.read(node)
        return kind
    return {"credentials": _WORD.read(node)}


CREDENTIALS: Final = Reader(_read, {"anyOf": [_WORD.schema, _TABLE.schema]})
