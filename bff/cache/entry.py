"""Cache entries: a response as bytes, with the time it was made and its lifetimes."""

import struct
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bff.model.exchange import Headers

# The format of an entry in the shared store; one of another format is a miss.
_MAGIC: Final = b"bff2"
_HEAD: Final = struct.Struct(">4sI")
_OVERHEAD: Final = 600  # bytes of Python's own around an entry, measured and rounded up


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """A stored response, as immutable bytes from which each request decodes a copy of its own.

    Args:
        stored: when the response was made, in seconds since 1970.
        fresh: seconds from then on in which it is fresh.
        stale: seconds after those in which it is still answered, while it is refreshed in the
            background (stale-while-revalidate, RFC 5861, section 3).
        error: seconds after those in which it is answered instead of a failure (stale-if-error,
            RFC 5861, section 4).
        keep: seconds after those in which it is only used to revalidate it.
        label: a description for operators, without any user's data.
        attributes: what the part of the program that stored the entry needs besides status, headers
            and body, in a text format of its own.
    """

    status: int
    headers: Headers
    body: bytes
    stored: float
    fresh: float
    stale: float = 0.0
    error: float = 0.0
    keep: float = 0.0
    label: str = ""
    attributes: str = ""

    @property
    def lasts(self) -> float:
        """Seconds from `stored` after which the entry has no use at all."""
        return self.fresh + max(self.stale, self.error, self.keep)

    @property
    def size(self) -> int:
        """Bytes of memory that the entry takes, approximately."""
        headers = sum(len(name) + len(value) + 100 for name, value in self.headers)
        return len(self.body) + headers + len(self.attributes) + _OVERHEAD

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


def encode(entry: CacheEntry) -> bytes:
    """Encode an entry: the format's name, a length, the metadata as JSON, and the body as it is."""
    # a header may have bytes that are not UTF-8, which JSON cannot hold
    headers = [
        [name, value.encode("utf-8", "surrogateescape").hex()] for name, value in entry.headers
    ]
    times = [entry.stored, entry.fresh, entry.stale, entry.error, entry.keep]
    head = orjson.dumps([entry.status, headers, times, entry.label, entry.attributes])
    return _HEAD.pack(_MAGIC, len(head)) + head + entry.body


def decode(data: Any) -> CacheEntry | None:
    """Decode an entry; None for anything that `encode` of this version has not made."""
    try:
        magic, length = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            return None
        start = _HEAD.size + length
        status, headers, times, label, attributes = orjson.loads(data[_HEAD.size : start])
        pairs = tuple(
            (str(name), bytes.fromhex(value).decode("utf-8", "surrogateescape"))
            for name, value in headers
        )
        stored, fresh, stale, error, keep = map(float, times)
        lifetimes = (stored, fresh, stale, error, keep)
        body = bytes(data[start:])
        return CacheEntry(int(status), pairs, body, *lifetimes, str(label), str(attributes))
    except (TypeError, ValueError, struct.error):
        return None
