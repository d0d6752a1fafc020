"""What must be written nowhere, and the search for it."""

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Collection
from typing import Final
from urllib.parse import quote_plus

JWT: Final = "a JSON Web Token"  # whoever it is of: also those that the tests never see
_JWT: Final = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}")
# A log with a secret's first or last characters has cut it off, and not left it out.
_PIECE: Final = 20
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
        self.kinds: Counter[str] = Counter()  # how many of each there are
        self._pieces: dict[bytes, str] = {}

    def add(self, kind: str, value: str) -> str:
        """Know one more; the same, for the caller to go on with."""
        assert kind in KINDS
        assert len(value) >= _PIECE, f"too short to be a {kind}"
        pieces = dict.fromkeys(_pieces(value), kind)
        self.kinds[kind] += bool(pieces.keys() - self._pieces.keys())
        self._pieces = pieces | self._pieces
        return value

    def those_in(self, text: bytes, besides: Collection[str] = ()) -> list[str]:
        """The kinds of which something is in a text."""
        places = range(len(text) - _PIECE + 1)
        found = {self._pieces.get(text[at : at + _PIECE], "") for at in places}
        if _JWT.search(text):
            found.add(JWT)
        return sorted(found - {"", *besides})


def _pieces(value: str) -> list[bytes]:
    forms = {value, quote_plus(value)}
    # in a Basic header, at whatever place of the three it begins
    forms |= {b64encode(b"." * by + value.encode()).decode()[4:-4] for by in range(3)}
    whole = [form.encode() for form in forms if len(form) >= _PIECE]
    return [piece for form in whole for piece in (form[:_PIECE], form[-_PIECE:])]
