"""Whose credentials a service is called with: nobody's, the person's, or our own."""

from base64 import b64encode
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import Key, Reader, one_of, table, text, wrong
from bff.declare.words import REQUEST_HEADER
from bff.model.source import Place


def _secret(node: Node) -> str:
    """A secret, as it was referred to; what is wrong with one is said without it."""
    if not node.raw or not all("!" <= char <= "~" for char in node.raw):
        hint = "refer to it: `${file:/run/secrets/name}`"
        raise wrong(node.place, "a secret of visible characters is wanted here", hint)
    return node.raw


_SECRET: Final = Reader(_secret, {"type": ["string", "number", "boolean"]})


def _basic(user: str, password: str) -> tuple[str, str]:
    encoded = b64encode(f"{user}:{password}".encode()).decode()
    return "authorization", f"Basic {encoded}"


def _only_one(place: Place, values: dict[str, Any]) -> tuple[str, str]:
    if len(values) != 1:
        raise wrong(place, "credentials are `none`, `session`, `basic` or `api_key`")
    header: tuple[str, str] = next(iter(values.values()))
    return header


_BASIC: Final = table(
    lambda _, values: _basic(values["user"], values["password"]),
    {
        "user": Key(text(r"[^:\x00-\x1f]+", "a user's name"), "The name.", required=True),
        "password": Key(_SECRET, "The password, by reference.", required=True),
    },
    "basic credentials",
)
_API_KEY: Final = table(
    lambda _, values: (values["header"], values["value"]),
    {
        "header": Key(REQUEST_HEADER, "The header that holds it.", "x-api-key"),
        "value": Key(_SECRET, "The key, by reference.", required=True),
    },
    "an API key",
)
_OWN: Final = table(
    _only_one,
    {"basic": Key(_BASIC, "RFC 7617."), "api_key": Key(_API_KEY, "A key in a header.")},
    "credentials",
)
_WHOSE: Final = one_of("none", "session")


CREDENTIALS: Final = Reader(
    lambda node: (_OWN if isinstance(node.value, dict) else _WHOSE).read(node),
    {"anyOf": [_WHOSE.schema, _OWN.schema]},
)
