"""Reply bodies: read and decompressed within a bound, however well they were compressed.

Content codings: RFC 9110, section 8.4.1. A few kilobytes of gzip can hold gigabytes of zeros.
"""

import zlib
from collections.abc import Iterable
from io import BytesIO
from typing import Final

from bff.errors import BadReply, TooMany
from bff.upstream.memory import Lease, Memory

ACCEPT_ENCODING: Final = "gzip, deflate"
_GZIP: Final = zlib.MAX_WBITS | 16
_MEMBERS: Final = 100
_STEP: Final = 256 * 1024


def read_body(
    chunks: Iterable[bytes], coding: str, limit: int, lease: Lease | None = None
) -> bytes:
    """The whole body, decoded.

    Args:
        coding: the value of Content-Encoding; empty for none.
        limit: bytes that it may have, before and after decoding.
        lease: takes the bytes as they come, and holds those of the body in the end.

    Raises:
        TooMany: it has more, or the process has no room for it.
        BadReply: it is cut off, or coded in a way that was not accepted.
    """
    lease = lease or Memory(4 * limit).lease()
    body = _decoded(chunks, coding.strip().lower(), limit, lease)
    lease.shrink(len(body))
    return body


def _decoded(chunks: Iterable[bytes], coding: str, limit: int, lease: Lease) -> bytes:
    if coding in {"", "identity"}:
        return _gather(chunks, limit, lease)
    if coding in {"gzip", "x-gzip"}:
        return _inflate(_gather(chunks, limit, lease), _GZIP, limit, lease)
    if coding == "deflate":
        raw = _gather(chunks, limit, lease)
        try:
            return _inflate(raw, zlib.MAX_WBITS, limit, lease)
        except BadReply:  # some servers leave the zlib wrapper out
            lease.shrink(len(raw))
            return _inflate(raw, -zlib.MAX_WBITS, limit, lease)
    raise BadReply("the reply is coded in a way that was not accepted")


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
        raw = decoder.unused_data
    return inflated.getvalue()
