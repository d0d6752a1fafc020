"""multipart bodies (RFC 2046, section 5.1; RFC 7578), parsed and assembled."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_BOUNDARY: Final = re.compile(r'boundary="?([^";,]{1,200})', re.IGNORECASE)
_FIRST: Final = re.compile(rb"--([^\r\n]{1,200}?)[ \t]*\r\n")
_NAME: Final = re.compile(r'\bname\*?="?((?:[^";\\]|\\.)*)', re.IGNORECASE)
_LINE: Final = re.compile(rb"\r\n[ \t]*")


@dataclass(frozen=True, slots=True)
class Part:
    """One part.

    Args:
        headers: as they are written.
        body: with its transfer encoding.
    """

    headers: str
    body: bytes

    @property
    def name(self) -> str:
        """The name of the form field; empty where it has none."""
        found = _NAME.search(self.header("content-disposition"))
        return found[1] if found else ""

    @property
    def is_coded(self) -> bool:
        """True if its body has a MIME transfer encoding, such as base64."""
        coding = self.header("content-transfer-encoding").strip().lower()
        return coding not in {"", "7bit", "8bit", "binary"}

    def header(self, name: str) -> str:
        """The value of a header; empty where it has none."""
        for line in self.headers.split("\r\n"):
            key, _, value = line.partition(":")
            if key.strip().lower() == name:
                return value.strip()
        return ""


def boundary_of(kind: str, body: bytes) -> str:
    """The boundary that a media type declares, or that a body begins with; empty for none."""
    declared = _BOUNDARY.search(kind)
    if declared:
        return declared[1].rstrip()
    found = _FIRST.match(body)
    return found[1].decode("latin-1") if found else ""


def take_apart(body: bytes, boundary: str) -> list[Part]:
    """Parse a body.

    Raises:
        ValueError: it does not match its boundary.
    """
    mark = b"\r\n--" + boundary.encode("latin-1", "replace")
    start, *pieces = (b"\r\n" + body).split(mark)
    if start.strip() or not pieces or not pieces[-1].startswith(b"--"):
        raise ValueError("the multipart body is incomplete")
    if pieces[-1][2:].strip():
        raise ValueError("data follows the multipart body")
    return [_part(piece) for piece in pieces[:-1]]


def put_together(parts: Sequence[Part], boundary: str) -> bytes:
    """Assemble a body."""
    mark = b"--" + boundary.encode("latin-1", "replace")
    lines = [mark + b"\r\n" + _written(part) + b"\r\n" for part in parts]
    return b"".join(lines) + mark + b"--\r\n"


def _part(piece: bytes) -> Part:
    begun = _LINE.match(piece)
    if not begun:
        raise ValueError("a boundary is not followed by a line break")
    head, blank, body = (b"\r\n" + piece[begun.end() :]).partition(b"\r\n\r\n")
    if not blank:
        raise ValueError("the headers of a part do not end")
    return Part(head.removeprefix(b"\r\n").decode("utf-8", "surrogateescape"), body)


def _written(part: Part) -> bytes:
    head = part.headers.encode("utf-8", "surrogateescape")
    return (head + b"\r\n\r\n" if head else b"\r\n") + part.body
