"""Reply bodies: read and decompressed within a bound, however well they were compressed.

Content codings: RFC 9110, section 8.4.1. A few kilobytes of gzip can hold gigabytes of zeros.
"""

import zlib
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Final

from bff.errors import BadReply, TooMany
from bff.upstream.memory import Lease, Memory

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


def read_body(
    chunks: Iterable[bytes], coding: str, limit: int, lease: Lease | None = None
) -> bytes:
    """The whole body, decoded.

    What follows a whole gzip or deflate stream, and is no further gzip member, is left out.

    Args:
        coding: the value of Content-Encoding, the coding that was applied last at its end (RFC
            9110, section 8.4); empty for none.
        limit: bytes that it may have, before and after decoding.
        lease: takes the bytes as they come, and holds those of the body in the end.

    Raises:
        TooMany: it has more, or the process has no room for it.
        BadReply: it is cut off, or coded in a way that was not accepted.
    """
    lease = lease or Memory(4 * limit).lease()
    codings = codings_in(coding)
    return decoded(_gather(chunks, limit, lease), codings, limit, lease)


def codings_in(coding: str) -> list[str]:
    """The codings that a Content-Encoding names, without those that change nothing.

    Raises:
        BadReply: one of them was not accepted.
    """
    codings = [each for name in coding.split(",") if (each := name.strip().lower()) not in _NONE]
    if len(codings) > _MOST_CODINGS or not _UNREADABLE.isdisjoint(codings):
        raise BadReply("the reply is coded in a way that was not accepted")
    return codings


def decoded(body: bytes, codings: Sequence[str], limit: int, lease: Lease) -> bytes:
    """A whole body without its codings; the lease, which holds its bytes, holds the result's.

    Raises:
        TooMany: it has more than `limit` bytes, or the process has no room for it.
        BadReply: it is cut off, or not coded like that.
    """
    for each in reversed(codings):
        body = _decoded(body, each, limit, lease)
        lease.shrink(len(body))
    return body


def _decoded(body: bytes, coding: str, limit: int, lease: Lease) -> bytes:
    if coding in {"gzip", "x-gzip"}:
        return _inflate(body, _GZIP, limit, lease)
    if coding == "deflate":
        try:
            return _inflate(body, zlib.MAX_WBITS, limit, lease)
        except BadReply:  # some servers leave the zlib wrapper out
            lease.shrink(len(body))
            return _inflate(body, -zlib.MAX_WBITS, limit, lease)
    return body


def _gather(chunks: Iterable[bytes], limit: int, lease: Lease) -> bytes:
    gathered, size = BytesIO(), 0  # it gives its bytes away uncopied; a join would double them
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooMany(f"the reply has more than {limit} bytes")
        lease.add(len(chunk))
        gathered.write(chunk)
    return gathered.getvalue()


def _inflate(raw: bytes, window: int, limit: int, lease: Lease) -> bytes:
    inflated, size, members = BytesIO(), 0, 0
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
            size += len(part)
            if size > limit:
                raise TooMany(f"the decompressed reply has more than {limit} bytes")
            lease.add(len(part))
            inflated.write(part)
            raw = decoder.unconsumed_tail
        rest = decoder.unused_data
        raw = rest if window == _GZIP and rest.startswith(_GZIP_MEMBER) else b""
    return inflated.getvalue()
