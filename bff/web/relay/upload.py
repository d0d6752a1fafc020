"""Request bodies of relays: streamed, with a maximum size, and safe from request smuggling."""

from collections.abc import Iterator
from typing import IO, Any, Final

from flask import Request

from bff.errors import RequestRefused
from bff.model.untrusted import whole_number
from bff.web.app import UnreadableBody

_PIECE: Final = 64 * 1024
_MAX_LENGTH: Final = 2**62  # bytes; more than any relay allows


def body_length(environ: dict[str, Any]) -> int | None:
    """The bytes of the body: 0 for no body, None for a chunked one.

    Raises:
        RequestRefused: 400, as the request has both Content-Length and Transfer-Encoding, or a
            malformed one: servers parse such a request differently (RFC 9112, section 6.3).
    """
    length = environ.get("CONTENT_LENGTH") or ""
    coding = environ.get("HTTP_TRANSFER_ENCODING", "")
    if coding:
        if length:
            raise RequestRefused(400, "Content-Length and Transfer-Encoding at once")
        if coding.strip().lower() != "chunked":
            raise RequestRefused(400, "the only Transfer-Encoding is chunked")
        return None
    if not length:
        return 0
    found = whole_number(length, _MAX_LENGTH)
    if found is None:
        raise RequestRefused(400, "Content-Length is not one number")
    return found


def pieces(request: Request, most: int) -> Iterator[bytes]:
    """The body, piece by piece.

    Args:
        most: the maximum of bytes.

    Raises:
        RequestRefused: 413 if it is too large; 400 if it is malformed or cut off.
    """
    received = 0
    while piece := _read(request.stream):
        received += len(piece)
        if received > most:
            raise RequestRefused(413, f"the body has more than {most} bytes")
        yield piece


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_PIECE)
    except UnreadableBody as error:
        raise RequestRefused(400, str(error.description)) from error
