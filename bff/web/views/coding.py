"""Content codings and validators of answers: gzip and br (RFC 9110, 8.4), ETag (8.8.3)."""

import gzip
import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import brotli

_MIN_SIZE: Final = 1024  # bytes below which compressing costs more than it saves
_CODINGS: Final = ("br", "gzip")  # in order of preference
_QUALITY: Final = re.compile(r"\s*([\w*!#$%&'+.^`|~-]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')
_SUFFIX: Final = re.compile("-(br|gzip)$")


@lru_cache(maxsize=256)
def coding_for(accepted: str) -> str:
    """The coding that a client prefers (RFC 9110, section 12.5.3); empty for none.

    Args:
        accepted: the client's Accept-Encoding.
    """
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        found = _QUALITY.fullmatch(part)
        if found:
            weights[found[1]] = float(found[2]) if found[2] else 1.0
    others = weights.get("*", 0.0)
    best = max(_CODINGS, key=lambda coding: weights.get(coding, others))
    return best if weights.get(best, others) > 0 else ""


def is_worth_compressing(body: bytes) -> bool:
    """Whether a body is large enough to be compressed."""
    return len(body) >= _MIN_SIZE


def compress(body: bytes, coding: str) -> bytes:
    """Compress a body: to the same bytes each time, so that its validator may be strong."""
    if coding == "br":
        compressed: bytes = brotli.compress(body, mode=brotli.MODE_TEXT, quality=5)
        return compressed
    return gzip.compress(body, compresslevel=6, mtime=0)


def etag_of(body: bytes) -> str:
    """A strong validator of a body (RFC 9110, section 8.8.1)."""
    return f'"{blake2b(body, digest_size=15).hexdigest()}"'


def coded_etag(etag: str, coding: str) -> str:
    """The validator of the compressed body, which has other bytes; `coding` may be empty."""
    return f'{etag[:-1]}-{coding}"' if coding else etag


def etag_matches(etag: str, if_none_match: str) -> bool:
    """Whether a client has the body already, in any coding (RFC 9110, section 13.1.2)."""
    if if_none_match.strip() == "*":
        return True
    own = etag[1:-1]
    return any(_SUFFIX.sub("", tag) == own for tag in _TAG.findall(if_none_match))
