"""Validation of `return_to`: a path of this site, or a URL of a declared origin.

It prevents open redirects (RFC 9700, section 4.11).
"""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_to_bytes

from bff.errors import SignInFailed

MAX_LENGTH: Final = 2048  # characters
# The characters of a URL as browsers serialize it. Those on which URL parsers disagree (WHATWG URL,
# section 4.4) are missing: whitespace, controls, `\` and all outside of ASCII.
_WRITTEN: Final = re.compile(r"[!#-;=?-\[\]-~]+")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f\\]")
_PATH_ENDS: Final = re.compile("[?#]")
_DOTS: Final = frozenset({b".", b".."})


class BadReturn(SignInFailed):
    """A `return_to` that leads to another site, or into a sign-in again."""


def local_or_allowed(value: str, own_origin: str, allowed: Collection[str]) -> str:
    """Return `value` if it is a path of this site or a URL of an allowed origin.

    URLs are not parsed, since parsers differ: a URL is accepted only if it starts with the exact
    text of an origin, followed by a character that ends the origin for every parser (`/`, `?` or
    `#`; RFC 3986, section 3.2).

        https://shop.example/x          accepted
        https://shop.example.evil/x     refused
        https://shop.example@evil/x     refused
        /%2e%2e//evil                   refused: the path is decoded until it does not change

    Args:
        value: a path that begins with `/`, or an absolute URL.
        own_origin: of this site, as browsers serialize it.
        allowed: further origins, likewise.

    Raises:
        BadReturn: it leads elsewhere, for some parser at least; or to `/auth`, which would loop.
    """
    if len(value) > MAX_LENGTH:
        raise BadReturn(f"`return_to` has more than {MAX_LENGTH} characters")
    if not _WRITTEN.fullmatch(value):
        raise BadReturn(
            "`return_to` has a character that is not allowed in URLs: percent-encode it"
        )
    rest, own = _after_origin(value, own_origin, allowed)
    path = _PATH_ENDS.split(rest, maxsplit=1)[0].encode()
    decoded = b""
    while path != decoded:  # a server behind may decode again; it gets shorter every time
        decoded, path = path, unquote_to_bytes(path)
        _check_path(decoded, own=own)
    return value


def _after_origin(value: str, own_origin: str, allowed: Collection[str]) -> tuple[str, bool]:
    """The text after the origin, and whether that is this site."""
    if value.startswith("/"):
        return value, True
    for origin in (own_origin, *allowed):
        if value == origin or value.startswith((f"{origin}/", f"{origin}?", f"{origin}#")):
            return value[len(origin) :], origin == own_origin
    raise BadReturn("`return_to` is neither a path of this site nor of a declared origin")


def _check_path(path: bytes, *, own: bool) -> None:
    if path.startswith(b"//") or _CONTROL.search(path):
        raise BadReturn("`return_to` could be read as another site's address")
    segments = path.split(b"/")
    if not _DOTS.isdisjoint(segments):
        raise BadReturn("`return_to` has `.` or `..` in its path")
    if own and len(segments) > 1 and segments[1].lower() == b"auth":
        raise BadReturn("`return_to` leads into the sign-in again")
