"""Dates, numbers and URLs of untrusted origin are parsed, or None; nothing here raises.

Python's own parsers raise for some texts that look like what they parse: `urlsplit` for `http://[`,
`int` for more than 4,300 digits or for `²`, `parsedate_to_datetime` for a year that is too large.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import SplitResult, urlsplit

MOST_SECONDS: Final = 2**31  # what a larger delta-seconds counts as (RFC 9111, section 1.2.2)
_DIGITS: Final = 18  # beyond these a number is larger than any bound


def http_date(text: str) -> float | None:
    """Seconds since 1970 of an HTTP-date (RFC 9110, section 5.6.7); one without a zone is UTC."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def whole_number(text: str, most: int = MOST_SECONDS) -> int | None:
    """A number of ASCII digits only, as lengths, ages and seconds are written.

    Args:
        most: the value of any larger number.
    """
    if not (text.isascii() and text.isdigit()):
        return None
    digits = text.lstrip("0")
    return most if len(digits) > _DIGITS else min(int(digits or "0"), most)


def split_url(text: str) -> SplitResult | None:
    """The parts of a URL (RFC 3986), whose port may be read as well."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - it is parsed when it is read, and raises then
    except ValueError:
        return None
    return parts
