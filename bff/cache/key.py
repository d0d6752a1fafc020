"""Cache keys and tags, as digests that hold no user's data."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from typing import Any, Final

from bff.model.principal import Principal

EVERYTHING: Final = "all"


@dataclass(frozen=True, slots=True)
class CacheKey:
    """The identity of a cached response.

    Args:
        digest: of all that the response depends on, and of the users it may be answered to.
        tags: keys of its tags; their generations are part of its address.
    """

    digest: str
    tags: tuple[str, ...]

    def address(self, generations: Iterable[str]) -> str:
        """The address of the entry while its tags have these generations."""
        return digest_of(self.digest, *generations)


def cache_key(parts: Iterable[Any], tags: Iterable[str]) -> CacheKey:
    """The key of a response that depends on `parts`.

    Args:
        parts: texts, numbers, bytes, and lists, tuples and mappings of them. Values of different
            types are different: `1`, `True` and `"1"` give three keys.
        tags: keys, as `tag_of`, `kind_of` and `person_of` return them.
    """
    return CacheKey(digest_of(*parts), tuple(sorted({_ALL, *tags})))


def digest_of(*parts: Any) -> str:
    """A digest of values and of their types."""
    return blake2b(repr(parts).encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()


def key_of(*name: str) -> str:
    """The key of a tag; its length does not depend on the tag's."""
    return blake2b(repr(name).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


_ALL: Final = key_of(EVERYTHING)
_STRUCTURAL: Final = {_ALL}  # filled by `kind_of`: bounded by the number of views and services


def tag_of(text: str) -> str:
    """The key of a declared tag with its values filled in."""
    return key_of("tag", text)


@cache
def kind_of(kind: str, name: str) -> str:
    """The key of the tag of all entries of one view or one service."""
    tag = key_of(kind, name)
    _STRUCTURAL.add(tag)
    return tag


def is_structural(tag: str) -> bool:
    """Whether a tag is that of all entries, of a view or of a service."""
    return tag in _STRUCTURAL


def session_of(key: str) -> str:
    """The key of the tag of all entries of one session; they are invalidated when it ends."""
    return key_of("session", key)


def person_of(principal: Principal) -> str:
    """The key of the tag of all entries of one user: those of the session, if there is one."""
    if principal.session:
        return session_of(principal.session)
    return key_of("person", principal.identity)
