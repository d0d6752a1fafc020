"""What the store holds of a session: sealed, and read as far as this version of ours knows it."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields
from functools import cache
from typing import Any, Final

from bff.errors import SignInFailed
from bff.model.json_text import decode_json, encode_json
from bff.store.protocol import Entry
from bff.store.seal import BadSeal, Seal

_MOST_BYTES: Final = 256 * 1024  # of one record


class Records:
    """Dataclasses as entries of a store, each sealed for its own key."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    def sealed(self, name: str, value: Any) -> bytes:
        """A dataclass as it is kept under `name`, and there only.

        Raises:
            SignInFailed: it holds what nobody can keep.
        """
        try:
            content = encode_json(asdict(value))
        except (TypeError, ValueError, RecursionError):
            raise SignInFailed("the provider's claims are nested too deeply") from None
        if len(content) > _MOST_BYTES:
            raise SignInFailed("the provider's claims and tokens are too large to be kept")
        return self._seal.seal(content, name)

    def opened(self, name: str, entry: Entry | None, kind: type) -> dict[str, Any] | None:
        """What is in an entry, as far as this version of ours knows it.

        One that no secret of ours opens any more is none, and neither is one that lacks something.
        """
        if entry is None:
            return None
        try:
            opened = self._seal.open(entry.value, name)
        except BadSeal:
            return None
        return known(kind, decode_json(opened, halves=False))


def known(kind: type, content: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields of a record of ours; none if it lacks one. Another version may have written it."""
    names, needed = _names(kind)
    if not content.keys() >= needed:
        return None
    return {name: value for name, value in content.items() if name in names}


@cache
def _names(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """The fields of a record: all, and those that it cannot do without."""
    all_of_it = fields(kind)
    needed = {each.name for each in all_of_it if each.default is each.default_factory is MISSING}
    return frozenset(each.name for each in all_of_it), frozenset(needed)
