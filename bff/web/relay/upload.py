"""A request's body as it comes: framed in one way only, bounded, and never held as a whole."""

from collections.abc import Iterator
from typing import IO, Any, Final

from flask import Request

from bff.errors import RequestRefused
from bff.model.untrusted import whole_number
from bff.web.app import UnreadableBody

_PIECE: Final = 64 * 1024
_MOST: Final = 2**62  # bytes; more than any relay lets through


def body_length(environ: dict[str, Any]) -> int | None:
    """How many bytes the body has: 0 for no body, None where chunks tell.

    Raises:
        RequestRefused: it has a length and a coding, or one of them is malformed: servers read such
            a request differently (RFC 9112, section 6.3).
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
    found = whole_number(length, _MOST)
    if found is None:
        raise RequestRefused(400, "Content-Length is not one number")
    return found


def pieces(request: Request, most: int) -> Iterator[bytes]:
    """The body, piece by piece.

    Args:
        most: bytes that it may have.

    Raises:
        RequestRefused: it is too large, malformed, or cut off.
    """
    got = 0
    while piece := _read(request.stream):
        got += len(piece)
        if got > most:
            raise RequestRefused(413, f"the body has more than {most} bytes")
        yield piece


def _read(stream: IO[bytes]) -> bytes:
    try:
        return stream.read(_PIECE)
    except UnreadableBody as error:
        raise RequestRefused(400, str(error.description)) from error
