"""What is kept: a reply or an answer as bytes, with the time it was made and how long it lasts."""

import struct
from dataclasses import dataclass
from typing import Any, Final

import orjson

from bff.model.exchange import Headers

_MAGIC: Final = b"bff1"
_HEAD: Final = struct.Struct(">4sI")
_OVERHEAD: Final = 600  # bytes of Python's own around an entry, measured and rounded up


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept reply or answer; immutable bytes, of which each request decodes its own copy.

    Args:
        stored: when it was made, in seconds since 1970.
        fresh: seconds from then on in which it is as good as new.
        stale: seconds after those in which it is answered, and refreshed behind the answer.
        error: seconds after those in which it stands in for a failure.
        keep: seconds after those in which it only serves to ask whether it still holds.
        label: what it is of, for operators: no one's data.
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

    @property
    def lasts(self) -> float:
        """Seconds, from when it was made, after which it is of no use at all."""
        return self.fresh + max(self.stale, self.error, self.keep)

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, near enough."""
        return len(self.body) + sum(len(n) + len(v) + 100 for n, v in self.headers) + _OVERHEAD

    def header(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key == name), None)


def encode(entry: Entry) -> bytes:
    """The bytes of an entry: a length, what is known of it as JSON, and the body as it is."""
    # a header may hold bytes that are no UTF-8, kept as Latin-1 would
    headers = [
        [name, value.encode("utf-8", "surrogateescape").hex()] for name, value in entry.headers
    ]
    times = [entry.stored, entry.fresh, entry.stale, entry.error, entry.keep]
    head = orjson.dumps([entry.status, headers, times, entry.label])
    return _HEAD.pack(_MAGIC, len(head)) + head + entry.body


def decode(data: Any) -> Entry | None:
    """The entry of some bytes; None where they are none of ours, whatever they are."""
    try:
        magic, length = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            return None
        start = _HEAD.size + length
        status, headers, times, label = orjson.loads(data[_HEAD.size : start])
        pairs = tuple(
            (str(name), bytes.fromhex(value).decode("utf-8", "surrogateescape"))
            for name, value in headers
        )
        stored, fresh, stale, error, keep = map(float, times)
        body = bytes(data[start:])
        return Entry(int(status), pairs, body, stored, fresh, stale, error, keep, str(label))
    except (TypeError, ValueError, struct.error):
        return None
