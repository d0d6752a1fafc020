"""The caching headers of a reply: Cache-Control, Expires and Date (RFC 9111, section 5)."""

import re
from typing import Final

from bff.model.exchange import Headers
from bff.model.untrusted import http_date, whole_number

_DIRECTIVE: Final = re.compile(r'([!#$%&\'*+.^_`|~\w-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?')


class Directives(dict[str, str | None]):
    """The directives of Cache-Control by lower-case name; the first of one that occurs twice."""

    def seconds(self, name: str) -> float | None:
        """The seconds of a directive; None where it is absent, 0 where it is not a number."""
        if name not in self:
            return None
        # an invalid value counts as stale (RFC 9111, section 4.2.1)
        return float(whole_number(self[name] or "") or 0)


def directives_of(headers: Headers) -> Directives:
    """The directives of all Cache-Control fields (RFC 9111, section 5.2)."""
    found = Directives()
    for name, value in headers:
        if name == "cache-control":
            for each in _DIRECTIVE.finditer(value):
                found.setdefault(each[1].lower(), each[2] if each[2] is not None else each[3])
    return found


def freshness_lifetime(
    directives: Directives, headers: Headers, now: float, *, shared: bool
) -> float | None:
    """The freshness lifetime of a reply in seconds, its age not deducted (RFC 9111, 4.2.1).

    Args:
        now: seconds since 1970.
        shared: whether it would be answered to more than one user.

    Returns:
        None where the reply has none: there is no heuristic freshness (RFC 9111, section 4.2.2).
    """
    if "no-cache" in directives:
        return 0.0
    if shared and "s-maxage" in directives:
        return directives.seconds("s-maxage")
    if "max-age" in directives:
        return directives.seconds("max-age")
    expires = [value for name, value in headers if name == "expires"]
    if not expires:
        return None
    until = http_date(expires[0]) if len(expires) == 1 else None
    if until is None:
        return 0.0  # RFC 9111, section 5.3: an invalid date is in the past
    date = next((value for name, value in headers if name == "date"), None)
    since = http_date(date) if date else None
    return max(0.0, until - (now if since is None else since))
