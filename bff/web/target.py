"""Rewrites the target of a relayed request, and refuses path traversal.

Servers decode paths differently, and may read `%2e%2e` or `..;` as a dot segment after this check.
So the raw target is decoded segment by segment and encoded again, and a segment that any server may
read as a dot segment or a separator is refused (RFC 3986, sections 3.3 and 6.2.2).
"""

import re
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import normalize
from urllib.parse import quote, unquote_to_bytes

from bff.errors import RequestRefused

_MAX_DECODINGS: Final = 3  # a segment that is encoded more often is refused
_PERCENT: Final = re.compile("%[0-9A-Fa-f]{2}")
_LEGAL: Final = re.compile(r"[\x21\x24-\x7e]*")  # without blanks, control characters, `"` and `#`
_IN_SEGMENT: Final = "!$&'()*+,=:@~"  # RFC 3986, section 3.3, without `;`, at which Tomcat cuts
_IN_QUERY: Final = "!$&'()*+,;=:@/?~%"
_DOT_SEGMENTS: Final = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Route:
    """The paths of a relay, at a frontend and at its service, as segments.

    Args:
        pattern: literal segments, first the frontend's; `{name}` for any segment and, at the end,
            `{name...}` for all that follow.
        target: likewise, below the address of the service.
    """

    pattern: tuple[str, ...]
    target: tuple[str, ...]


def raw_target(environ: dict[str, Any]) -> str | None:
    """The undecoded target; None where the server does not provide it."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return raw if isinstance(raw, str) else None


def rewrite_target(raw: str, route: Route) -> str:
    """The path and query of the request to the service.

    Raises:
        RequestRefused: 400, as the target does not match the route, or servers may read it
            differently.
    """
    path, mark, query = raw.partition("?")
    if not path.startswith("/") or not _LEGAL.fullmatch(raw):
        raise RequestRefused(400, "the target is not a path")
    values = _match(path[1:].split("/"), route.pattern)
    segments: list[str] = []
    for segment in route.target:
        segments += values[segment] if segment.startswith("{") else [segment]
    return "/" + "/".join(segments) + mark + quote(query, safe=_IN_QUERY)


def _match(segments: list[str], pattern: tuple[str, ...]) -> dict[str, list[str]]:
    """The segments that each `{name}` of the pattern matches, normalized."""
    values: dict[str, list[str]] = {}
    for at, wanted in enumerate(pattern):
        if wanted.endswith("...}"):
            rest = segments[at:]
            # a trailing slash, which is an empty last segment, is passed on
            last = rest[-1:] if rest[-1:] == [""] and len(rest) > 1 else []
            values[wanted] = [
                _normalized(segment) for segment in rest[: len(rest) - len(last)]
            ] + last
            return values
        if at >= len(segments):
            raise RequestRefused(400, "the path is too short")
        if wanted.startswith("{"):
            values[wanted] = [_normalized(segments[at])]
        elif segments[at] != wanted:
            raise RequestRefused(400, "a literal segment of the path is not written as declared")
    if len(segments) > len(pattern):
        raise RequestRefused(400, "the path is too long")
    return values


def _normalized(segment: str) -> str:
    """A segment, decoded, checked, and encoded again."""
    if len(_PERCENT.findall(segment)) != segment.count("%"):
        raise RequestRefused(400, "the path has a `%` without two hexadecimal digits")
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise RequestRefused(400, "the path is not UTF-8") from None
    _refuse_traversal(text)
    return quote(text, safe=_IN_SEGMENT)


def _refuse_traversal(text: str) -> None:
    """Refuse a dot segment or a separator, also if it appears when the text is decoded again.

    The NFKC form is checked as well, as some servers normalize full-width dots and slashes.
    """
    for _ in range(_MAX_DECODINGS):
        for read in (text, normalize("NFKC", text)):
            if read.partition(";")[0].strip() in _DOT_SEGMENTS:
                raise RequestRefused(400, "the path has an empty segment, or a dot segment")
            if "/" in read or "\\" in read or not read.isprintable():
                raise RequestRefused(
                    400, "a segment of the path contains a separator or a control character"
                )
        again = unquote_to_bytes(text).decode(errors="replace")
        if again == text:
            return
        text = again
    raise RequestRefused(400, f"the path is percent-encoded more than {_MAX_DECODINGS} times")
