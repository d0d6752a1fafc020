"""Reply bodies: read and decompressed within a bound, however well they were compressed.

Content codings: RFC 9110, section 8.4.1. A few kilobytes of gzip can hold gigabytes of zeros.
"""

import zlib
from collections.abc import Iterable
from typing import Final

from bff.errors import BadReply, TooMany

ACCEPT_ENCODING: Final = "gzip, deflate"
_GZIP: Final = zlib.MAX_WBITS | 16
_MEMBERS: Final = 100
_STEP: Final = 256 * 1024
_MOST_CODINGS: Final = 5
_NONE: Final = frozenset({"", "identity"})
# The registered codings that are not accepted. Of other names, such as `utf-8` or `aws-chunked`,
# browsers and libraries read the body as it is, and so does this: the name is a mistake.
_UNREADABLE: Final = frozenset(
    {"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"}
)
_GZIP_MEMBER: Final = b"\x1f\x8b"


def read_body(chunks: Iterable[bytes], coding: str, limit: int) -> bytes:
    """The whole body, decoded.

    What follows a whole gzip or deflate stream, and is no further gzip member, is left out.

    Args:
        coding: the value of Content-Encoding, the coding that was applied last at its end (RFC
            9110, section 8.4); empty for none.
        limit: bytes that it may have, before and after decoding.

    Raises:
        TooMany: it has more.
        BadReply: it is cut off, or coded in a way that was not accepted.
    """
    codings = [each for name in coding.split(",") if (each := name.strip().lower()) not in _NONE]
    if len(codings) > _MOST_CODINGS or not _UNREADABLE.isdisjoint(codings):
        raise BadReply("the reply is coded in a way that was not accepted")
    body = _gather(chunks, limit)
    for each in reversed(codings):
        body = _decoded(body, each, limit)
    return body


def _decoded(body: bytes, coding: str, limit: int) -> bytes:
    if coding in {"gzip", "x-gzip"}:
        return _inflate(body, _GZIP, limit)
    if coding == "deflate":
        try:
            return _inflate(body, zlib.MAX_WBITS, limit)
        except BadReply:  # some servers leave the zlib wrapper out
            return _inflate(body, -zlib.MAX_WBITS, limit)
    return body


def _gather(chunks: Iterable[bytes], limit: int) -> bytes:
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooMany(f"the reply has more than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


def _inflate(raw: bytes, window: int, limit: int) -> bytes:
    parts, size, members = [], 0, 0
    while raw:  # a gzip body may have several members (RFC 1952, section 2.2)
        members += 1
        if members > _MEMBERS:
            raise TooMany(f"the compressed reply has more than {_MEMBERS} members")
        decoder = zlib.decompressobj(window)
        while not decoder.eof:
            try:
                part = decoder.decompress(raw, min(_STEP, limit - size + 1))
            except zlib.error as error:
                raise BadReply(f"the reply cannot be decompressed: {error}") from None
            if not part and not decoder.eof and not decoder.unconsumed_tail:
                raise BadReply("the compressed reply is cut off")
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooMany(f"the decompressed reply has more than {limit} bytes")
            raw = decoder.unconsumed_tail
        rest = decoder.unused_data
        raw = rest if window == _GZIP and rest.startswith(_GZIP_MEMBER) else b""
    return b"".join(parts)
