"""Recorded headers in a form that can be sent: one value each, without control characters."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

_HEADER: Final = re.compile(r":?[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # HTTP/2's begin with a colon
_LINE_ENDS: Final = re.compile(r"\r\n|\r|\n")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def sendable(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Headers as they can be sent (RFC 9110, section 5.5), each character standing for one byte.

    Some tools join the values of a repeated header by line feeds.
    """
    for name, joined in headers:
        if not _HEADER.fullmatch(name):
            continue
        for value in _LINE_ENDS.split(joined):
            if value or not joined:
                yield name, header_value(value)


def header_value(text: str) -> str:
    """A header's value without control characters; in UTF-8 where Latin-1 cannot hold it."""
    return in_latin_1(_CONTROL.sub(" ", text).strip())


def in_latin_1(text: str) -> str:
    """A text whose characters stand for bytes: its own, or those of its UTF-8 encoding."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode("latin-1")
    return text
