"""Where a sign-in may lead back to: a path of ours, or an origin that is declared."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_to_bytes

from bff.errors import SignInFailed

LONGEST: Final = 2048  # characters
# What browsers write of an address of theirs. Everything by which readers of URLs come to differ
# (WHATWG URL, section 4.4) is missing: blanks, controls, `\` and whatever is not ASCII.
_WRITTEN: Final = re.compile(r"[!#-;=?-\[\]-~]+")
_CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f\\]")
_PATH_ENDS: Final = re.compile("[?#]")
_DOTS: Final = frozenset({b".", b".."})


class BadReturn(SignInFailed):
    """A `return_to` that leads away from here, or into a sign-in again."""


def local_or_allowed(value: str, own_origin: str, allowed: Collection[str]) -> str:
    """`value`, if it leads where people may be sent.

    No URL is parsed: an address counts only if it begins with the very letters of an origin, and
    goes on with what ends an origin for every reader (RFC 3986, section 3.2).

    Args:
        value: a path that begins with `/`, or an absolute address.
        own_origin: ours, as a browser writes it.
        allowed: further origins, likewise.

    Raises:
        BadReturn: it leads elsewhere, or may for some reader; or to `/auth`, which would go round.
    """
    if len(value) > LONGEST:
        raise BadReturn(f"`return_to` has more than {LONGEST} characters")
    if not _WRITTEN.fullmatch(value):
        raise BadReturn("`return_to` is no address as browsers write it: percent-encode the rest")
    rest, ours = _after_origin(value, own_origin, allowed)
    path = _PATH_ENDS.split(rest, maxsplit=1)[0].encode()
    decoded = b""
    while path != decoded:  # as often as anybody behind us may; it gets shorter every time
        decoded, path = path, unquote_to_bytes(path)
        _check_path(decoded, ours=ours)
    return value


def _after_origin(value: str, own_origin: str, allowed: Collection[str]) -> tuple[str, bool]:
    """What follows the origin, and whether that is ours."""
    if value.startswith("/"):
        return value, True
    for origin in (own_origin, *allowed):
        if value == origin or value.startswith((f"{origin}/", f"{origin}?", f"{origin}#")):
            return value[len(origin) :], origin == own_origin
    raise BadReturn("`return_to` is neither a path of this site nor at an origin that is declared")


def _check_path(path: bytes, *, ours: bool) -> None:
    if path.startswith(b"//") or _CONTROL.search(path):
        raise BadReturn("`return_to` could be read as another site's address")
    segments = path.split(b"/")
    if not _DOTS.isdisjoint(segments):
        raise BadReturn("`return_to` has `.` or `..` in its path")
    if ours and len(segments) > 1 and segments[1].lower() == b"auth":
        raise BadReturn("`return_to` leads into the sign-in again")
