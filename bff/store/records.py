"""Dataclasses as sealed entries of the store, readable across versions of this program."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from functools import cache
from typing import Any, Final

from bff.errors import SignInFailed
from bff.model.json_text import decode_json, encode_json
from bff.store.protocol import Entry
from bff.store.seal import BadSeal, Seal

_MAX_BYTES: Final = 256 * 1024  # of one record


class Records:
    """Encodes dataclasses as JSON and seals each for the key that it is stored under."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def sealed(self, name: str, value: Any) -> bytes:
        """A dataclass, sealed for the key `name`: under another key it cannot be opened.

        Raises:
            SignInFailed: it is nested too deeply, or larger than 256 KiB.
        """
        try:
            content = encode_json(asdict(value))
        except (TypeError, ValueError, RecursionError):
            raise SignInFailed("the provider's claims are nested too deeply") from None
        if len(content) > _MAX_BYTES:
            raise SignInFailed("the provider's claims and tokens are too large to be stored")
        return self._seal.seal(content, name)

    def opened(self, name: str, entry: Entry | None, kind: type) -> dict[str, Any] | None:
        """The fields of an entry that `kind` has.

        None if there is no entry, if it was sealed with a secret that is no longer declared, or if
        a field without a default is missing.
        """
        if entry is None:
            return None
        try:
            opened = self._seal.open(entry.value, name)
        except BadSeal:
            return None
        return known(kind, decode_json(opened, halves=False))


def known(kind: type, content: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of `content` that `kind` has; None if one without a default is missing.

    During a rolling deployment a newer or an older version of this program may have written it.
    """
    names, needed = _names(kind)
    if not content.keys() >= needed:
        return None
    return {name: value for name, value in content.items() if name in names}


@cache
def _names(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """The names of the fields of a dataclass: all, and those without a default."""
    declared = fields(kind)
    needed = {each.name for each in declared if each.default is each.default_factory is MISSING}
    return frozenset(each.name for each in declared), frozenset(needed)
