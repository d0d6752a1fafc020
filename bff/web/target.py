"""The raw target of a relay: taken apart, decoded once and written anew, so that it stays inside.

Servers decode paths differently, and may read `%2e%2e` or `..;` as a step up after this check. So
the raw target is read, and what any server could read as a step or a separator is refused
(RFC 3986, sections 3.3 and 6.2.2).
"""

import re
from dataclasses import dataclass
from typing import Any, Final
from unicodedata import normalize
from urllib.parse import quote, unquote_to_bytes

from bff.errors import RequestRefused

_TIMES: Final = 3  # that something may be encoded within itself before it is nothing but suspicious
_PERCENT: Final = re.compile("%[0-9A-Fa-f]{2}")
_LEGAL: Final = re.compile(r"[\x21\x24-\x7e]*")  # neither blanks, controls, `"` nor `#`
_IN_SEGMENT: Final = "!$&'()*+,=:@~"  # RFC 3986, section 3.3, but for `;`: Tomcat cuts there
_IN_QUERY: Final = "!$&'()*+,;=:@/?~%"
_STEPS: Final = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Route:
    """Where a relay takes its requests from and to, segment by segment.

    Args:
        pattern: literal segments, the frontend's first, `{name}` for one of any text and, at the
            end, `{name...}` for all that follow.
        target: the same, below the service's address.
    """

    pattern: tuple[str, ...]
    target: tuple[str, ...]


def raw_target(environ: dict[str, Any]) -> str | None:
    """The target as it came; None where the server does not hand it on."""
    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    return raw if isinstance(raw, str) else None


def rewritten(raw: str, route: Route) -> str:
    """The path and query that the service is asked for.

    Raises:
        RequestRefused: it is not one path that all servers read alike, below the relay's own.
    """
    path, mark, query = raw.partition("?")
    if not path.startswith("/") or not _LEGAL.fullmatch(raw):
        raise RequestRefused(400, "the target is no path")
    given = path[1:].split("/")
    values = _matched(given, route.pattern)
    found: list[str] = []
    for segment in route.target:
        found += values[segment] if segment.startswith("{") else [segment]
    return "/" + "/".join(found) + mark + quote(query, safe=_IN_QUERY)


def _matched(given: list[str], pattern: tuple[str, ...]) -> dict[str, list[str]]:
    """The segments that each name of the pattern stands for, written anew."""
    values: dict[str, list[str]] = {}
    for at, wanted in enumerate(pattern):
        if wanted.endswith("...}"):
            rest = given[at:]
            last = rest[-1:] if rest[-1:] == [""] and len(rest) > 1 else []
            values[wanted] = [_anew(each) for each in rest[: len(rest) - len(last)]] + last
            return values
        if at >= len(given):
            raise RequestRefused(400, "the path is too short")
        if wanted.startswith("{"):
            values[wanted] = [_anew(given[at])]
        elif given[at] != wanted:
            raise RequestRefused(400, "the path is not written as it is declared")
    if len(given) > len(pattern):
        raise RequestRefused(400, "the path is too long")
    return values


def _anew(segment: str) -> str:
    """One segment, decoded, found harmless, and encoded in the one way that is ours."""
    if len(_PERCENT.findall(segment)) != segment.count("%"):
        raise RequestRefused(400, "the path has a `%` that encodes nothing")
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise RequestRefused(400, "the path is not UTF-8") from None
    _check(text)
    return quote(text, safe=_IN_SEGMENT)


def _check(text: str) -> None:
    """Refuse what is a step or holds a separator, even when it is decoded again."""
    for _ in range(_TIMES):
        for read in (text, normalize("NFKC", text)):
            if read.partition(";")[0].strip() in _STEPS:
                raise RequestRefused(400, "the path has an empty segment, or one of dots")
            if "/" in read or "\\" in read or not read.isprintable():
                raise RequestRefused(
                    400, "the path has a segment with a separator or a control in it"
                )
        again = unquote_to_bytes(text).decode(errors="replace")
        if again == text:
            return
        text = again
    raise RequestRefused(400, "the path is encoded again and again")
