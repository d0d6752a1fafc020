"""Reader of `credentials`: none, those of the caller, or those of this application."""

from base64 import b64encode
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import Key, Reader, one_of, table, text, wrong
from bff.declare.readers import NAME, REQUEST_HEADER
from bff.model.service import Grant
from bff.model.source import Place


def _secret(node: Node) -> str:
    """A secret of printable ASCII characters; error messages do not contain it."""
    if not node.raw or not all("!" <= char <= "~" for char in node.raw):
        hint = "refer to it: `${file:/run/secrets/name}`"
        message = "a secret needs printable ASCII characters, without blanks"
        raise wrong("wrong-value", node.place, message, hint)
    return node.raw


SECRET: Final = Reader(_secret, {"type": ["string", "number", "boolean"]})


def _basic(user: str, password: str) -> tuple[str, str]:
    encoded = b64encode(f"{user}:{password}".encode()).decode()
    return "authorization", f"Basic {encoded}"


_BASIC: Final = table(
    lambda _, values: _basic(values["user"], values["password"]),
    {
        "user": Key(text(r"[^:\x00-\x1f]+", "a user name"), "The user name.", required=True),
        "password": Key(SECRET, "The password, by reference.", required=True),
    },
    "basic credentials",
)
_API_KEY: Final = table(
    lambda _, values: (values["header"], values["value"]),
    {
        "header": Key(REQUEST_HEADER, "The header that carries the key.", "x-api-key"),
        "value": Key(SECRET, "The key, by reference.", required=True),
    },
    "an API key",
)
_GRANT: Final = table(
    lambda _, values: Grant(**values),
    {
        "audience": Key(
            text(r"\S+", "an audience"), "The audience of the token: the service that it is for."
        ),
        "scope": Key(
            text(r"\S+( \S+)*", "scopes with spaces between"),
            "The scopes of the token, with spaces between.",
        ),
        "provider": Key(
            NAME, "The provider that issues the token; by default the first that is declared."
        ),
    },
    "a grant",
)


def _one_kind(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Service for its credentials: their kind, with a secret or a grant."""
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
    "basic": Key(_BASIC, "A user name and password (HTTP Basic, RFC 7617)."),
    "api_key": Key(_API_KEY, "An API key in a header."),
    "exchange": Key(
        _GRANT,
        "Token exchange: a token for this service, in exchange for that of the caller (RFC 8693).",
    ),
    "client": Key(
        _GRANT, "Client credentials: a token of this application (RFC 6749, section 4.4)."
    ),
}
_WORD: Final = one_of(*_WORDS)
_TABLE: Final = table(_one_kind, _KINDS, "credentials")


def _read(node: Node) -> dict[str, Any]:
    if isinstance(node.value, dict):
        kind: dict[str, Any] = _TABLE.read(node)
        return kind
    return {"credentials": _WORD.read(node)}


CREDENTIALS: Final = Reader(_read, {"anyOf": [_WORD.schema, _TABLE.schema]})
