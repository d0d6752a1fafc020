"""Keys: what an entry is of and for whom, as digests that hold nobody's data."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, Final

from bff.model.principal import Principal

EVERYTHING: Final = "all"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for.

    Args:
        digest: of everything that it is made of, and of whom it is for.
        tags: keys of its tags; a generation of each is part of where it stands.
    """

    digest: str
    tags: tuple[str, ...]

    def address(self, generations: Iterable[str]) -> str:
        """Where it stands while its tags are of these generations."""
        return digest_of(self.digest, *generations)


def wanted(parts: Iterable[Any], tags: Iterable[str]) -> Wanted:
    """What is made of `parts`.

    Args:
        parts: texts, numbers, bytes, and lists, tuples and mappings of them: their `repr` tells
            apart whatever differs, `1` and `True` and `"1"` among it.
        tags: names as `tag_of`, `kind_of` and `person_of` give them.
    """
    return Wanted(digest_of(*parts), tuple(sorted({_ALL, *tags})))


def digest_of(*parts: Any) -> str:
    """A digest of values and of their types."""
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def key_of(*name: str) -> str:
    """The key of a tag: of a fixed length, whatever was filled in."""
    return blake2b(repr(name).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_ALL: Final = key_of(EVERYTHING)
_STRUCTURAL: Final = {_ALL}  # filled by `kind_of`, so as many as there are views and services


def tag_of(text: str) -> str:
    """The key of a declared tag, filled in."""
    return key_of("tag", text)


@cache
def kind_of(kind: str, name: str) -> str:
    """The key of all that is kept of one view, or of one service."""
    tag = key_of(kind, name)
    _STRUCTURAL.add(tag)
    return tag


def is_structural(tag: str) -> bool:
    """Whether a tag is that of everything, of a view or of a service."""
    return tag in _STRUCTURAL


def session_of(key: str) -> str:
    """The key of all that is kept for one session: it is dropped when that ends."""
    return key_of("session", key)


def person_of(principal: Principal) -> str:
    """The key of all that is kept for who asks: their session's, if they have one."""
    if principal.session:
        return session_of(principal.session)
    return key_of("person", principal.identity)
