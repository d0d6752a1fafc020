"""The headers that are passed between clients and services, and those that answers add."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from werkzeug.datastructures import Headers as IncomingHeaders
from werkzeug.http import http_date
from werkzeug.urls import iri_to_uri

from bff.model.exchange import Headers, Outcome
from bff.model.view import View

# Cookies that bff sets.
_OWN_COOKIE: Final = re.compile(r"\s*(__host-|__secure-)?(http-)?(dev-)?bff", re.IGNORECASE)
# RFC 9651, section 4.1: the keys and tokens of BFF-Calls need no escaping when they are serialised.
_SEPARATOR: Final = ", "
_ADDRESSES: Final = frozenset({"location", "content-location"})
_TOTAL: Final = "view-total"  # names of calls have no hyphen


def forwardable(headers: IncomingHeaders, names: Collection[str]) -> dict[str, str]:
    """The client's headers of these names, by lower-case name.

    A header that the client's `Connection` names belongs to that connection (RFC 9110, section
    7.6.1), and is omitted.
    """
    if not names:
        return {}
    bound = {
        token.strip().lower()
        for value in headers.getlist("Connection")
        for token in value.split(",")
    }
    found = {}
    for name in names:
        values = headers.getlist(name)
        if values and name not in bound:
            # WSGI decodes bytes as Latin-1 (PEP 3333); bytes that are not UTF-8 stay unchanged
            raw = ", ".join(values).encode("latin-1", "replace")
            found[name] = raw.decode("utf-8", "surrogateescape")
    return found


def is_sendable(name: str, value: str) -> bool:
    """Whether a header of a service is valid: printable, and a URL in Location.

    Werkzeug encodes Location and Content-Location when it sends the head, and raises for a value
    that is not a URL.
    """
    if not value.isprintable():
        return False
    if name in _ADDRESSES:
        try:
            iri_to_uri(value)
        except ValueError:
            return False
    return True


def respondable(headers: Headers) -> Headers:
    """The reply headers that go on to the client.

    Malformed ones are omitted, and cookies with the name of a cookie of bff.
    """
    return tuple(
        (name, value)
        for name, value in headers
        if is_sendable(name, value) and not (name == "set-cookie" and _OWN_COOKIE.match(value))
    )


def calls_header(outcomes: Mapping[str, Outcome]) -> str:
    """The value of BFF-Calls: a dictionary (RFC 9651, section 3.2) of each call's outcome."""
    return _SEPARATOR.join(f"{name}={_outcome(outcome)}" for name, outcome in outcomes.items())


def lifecycle_headers(view: View) -> dict[str, str]:
    """Deprecation (RFC 9745) and Sunset (RFC 8594) of a view that declares them."""
    headers = {}
    if view.deprecated is not None:
        headers["Deprecation"] = f"@{view.deprecated}"
    if view.sunset is not None:
        headers["Sunset"] = http_date(view.sunset)
    return headers


def _outcome(outcome: Outcome) -> str:
    text: str = outcome.kind
    if outcome.reason:
        text += f";reason={outcome.reason}"
    if outcome.status is not None:
        text += f";status={outcome.status}"
    if outcome.kind == "stale" and outcome.freshness:
        text += f";age={int(outcome.freshness.age)}"
    if outcome.failed:
        text += f";failed={outcome.failed};of={outcome.of}"
    return text


def timing_header(outcomes: Mapping[str, Outcome], total: float) -> str:
    """The value of Server-Timing (W3C): durations in milliseconds, and when each call started.

    Args:
        total: seconds that the whole answer took.
    """
    entries = [
        f'{name};dur={outcome.took * 1000:.1f};desc="{outcome.kind} {outcome.started * 1000:.1f}"'
        for name, outcome in outcomes.items()
        if outcome.started is not None
    ]
    return _SEPARATOR.join([*entries, f"{_TOTAL};dur={total * 1000:.1f}"])
