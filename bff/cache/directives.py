"""What a reply says about keeping it: Cache-Control, Expires and Date (RFC 9111, section 5)."""

import re
from typing import Final

from bff.model.exchange import Headers
from bff.model.untrusted import http_date, whole_number

_DIRECTIVE: Final = re.compile(r'([!#$%&\'*+.^_`|~\w-]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?')


class Directives(dict[str, str | None]):
    """Cache-Control's directives by lower-case name; of one that stands twice, the first."""

    def seconds(self, name: str) -> float | None:
        """A directive's seconds; None where it is not there, 0 where it is no number."""
        if name not in self:
            return None
        # what cannot be read counts as already over (RFC 9111, section 4.2.1)
        return float(whole_number(self[name] or "") or 0)


def directives_of(headers: Headers) -> Directives:
    """The directives of all fields of that name (RFC 9111, section 5.2)."""
    found = Directives()
    for name, value in headers:
        if name == "cache-control":
            for each in _DIRECTIVE.finditer(value):
                found.setdefault(each[1].lower(), each[2] if each[2] is not None else each[3])
    return found


def freshness_of(said: Directives, headers: Headers, now: float, *, shared: bool) -> float | None:
    """Seconds for which a reply says that it is fresh (RFC 9111, section 4.2.1), its age left in.

    Args:
        now: seconds since 1970.
        shared: whether more than one person would get it.

    Returns:
        None where it says nothing: nothing is guessed.
    """
    if "no-cache" in said:
        return 0.0
    if shared and "s-maxage" in said:
        return said.seconds("s-maxage")
    if "max-age" in said:
        return said.seconds("max-age")
    expires = [value for name, value in headers if name == "expires"]
    if not expires:
        return None
    until = http_date(expires[0]) if len(expires) == 1 else None
    if until is None:
        return 0.0  # RFC 9111, section 5.3: an invalid date is in the past
    date = next((value for name, value in headers if name == "date"), None)
    since = http_date(date) if date else None
    return max(0.0, until - (now if since is None else since))
