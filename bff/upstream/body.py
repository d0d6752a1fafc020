"""Reply bodies: read and decompressed within a size limit, also if highly compressed.

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
# The registered codings that are not supported. An unregistered name, such as `utf-8` or
# `aws-chunked`, is a mistake of the service: the body is read as it is, as browsers do.
_UNREADABLE: Final = frozenset(
    {"aes128gcm", "br", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress", "zstd"}
)
_GZIP_MEMBER: Final = b"\x1f\x8b"


def read_body(
    chunks: Iterable[bytes], coding: str, limit: int, lease: Lease | None = None
) -> bytes:
    """Read and decode a whole body.

    Bytes after the end of a gzip or deflate stream that are not a gzip member are dropped.

    Args:
        coding: the value of Content-Encoding, in the order of application (RFC 9110, section 8.4);
            empty for none.
        limit: the largest size in bytes, before and after decoding.
        lease: accounts for the bytes as they are read; in the end, for the decoded body.

    Raises:
        TooMany: the body exceeds the limit, or the memory budget of the process.
        BadReply: the body is truncated or invalid, or has an unsupported coding.
    """
    lease = lease or Memory(4 * limit).lease()
    codings = codings_in(coding)
    return decoded(_gather(chunks, limit, lease), codings, limit, lease)


def codings_in(coding: str) -> list[str]:
    """The codings of a Content-Encoding, without `identity`.

    Raises:
        BadReply: one of them is not supported.
    """
    codings = [each for name in coding.split(",") if (each := name.strip().lower()) not in _NONE]
    if len(codings) > _MOST_CODINGS or not _UNREADABLE.isdisjoint(codings):
        raise BadReply("the Content-Encoding of the reply is not supported")
    return codings


def decoded(body: bytes, codings: Sequence[str], limit: int, lease: Lease) -> bytes:
    """Decode a whole body; the lease accounts for `body` before, and for the result afterwards.

    Raises:
        TooMany: the result exceeds `limit` bytes, or the memory budget of the process.
        BadReply: the body is truncated or invalid.
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
        except BadReply:  # some servers send raw deflate, without the zlib wrapper
            lease.shrink(len(body))
            return _inflate(body, -zlib.MAX_WBITS, limit, lease)
    return body


def _gather(chunks: Iterable[bytes], limit: int, lease: Lease) -> bytes:
    gathered, size = BytesIO(), 0  # getvalue() makes no copy; a join would
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
                raise BadReply("the compressed reply is truncated")
            size += len(part)
            if size > limit:
                raise TooMany(f"the decompressed reply has more than {limit} bytes")
            lease.add(len(part))
            inflated.write(part)
            raw = decoder.unconsumed_tail
        rest = decoder.unused_data
        raw = rest if window == _GZIP and rest.startswith(_GZIP_MEMBER) else b""
    return inflated.getvalue()
