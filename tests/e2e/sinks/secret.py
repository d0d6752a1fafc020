"""What must be written nowhere, and the search for it."""

import re
from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote_plus

JWT: Final = "a JSON Web Token"  # whoever it is of: also those that the tests never see
_JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}")
_PIECE: Final = 20  # characters of a secret that are as bad as the whole
# Whoever has a secret's first or last characters in a log has cut it off, and not left it out.
KINDS: Final = frozenset(
    {
        "access token",
        "refresh token",
        "ID token",
        "logout token",
        "authorization code",
        "code verifier",
        "state",
        "nonce",
        "session id",
        "login cookie",
        "provider's cookie",
        "client secret",
        "session secret",
        "Redis password",
    }
)


class Secrets:
    """Those of a run, by their kind."""

    def __init__(self) -> None:
        self._known: dict[str, set[str]] = {kind: set() for kind in KINDS}

    def add(self, kind: str, value: str) -> str:
        """Know one more; the same, for the caller to go on with."""
        assert len(value) >= _PIECE, f"too short to be a {kind}"
        self._known[kind].add(value)
        return value

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many of each kind there are."""
        return {kind: len(values) for kind, values in self._known.items() if values}

    def those_in(self, text: bytes, besides: Collection[str] = ()) -> list[str]:
        """The kinds of which something is in a text."""
        found = {
            kind
            for kind, values in self._known.items()
            if any(piece in text for value in values for piece in _pieces(value))
        }
        if _JWT.search(text):
            found.add(JWT)
        return sorted(found - set(besides))


def _pieces(value: str) -> list[bytes]:
    forms = {value, quote_plus(value)}
    # in a Basic header, at whatever place of the three it begins
    forms |= {b64encode(b"." * by + value.encode()).decode()[4:-4] for by in range(3)}
    return [piece.encode() for form in forms for piece in (form[:_PIECE], form[-_PIECE:])]
