"""What crosses between client and services by header, and what every answer carries."""

import re
from collections.abc import Collection, Mapping
from typing import Final

from werkzeug.datastructures import Headers as IncomingHeaders
from werkzeug.http import http_date
from werkzeug.urls import iri_to_uri

from bff.model.exchange import Headers, Outcome
from bff.model.view import View

# RFC 9651: keys and tokens of ours are plain, so that serialising (section 4.1) is joining.
_OURS: Final = re.compile(r"\s*(__host-|__secure-)?(http-)?(dev-)?bff", re.IGNORECASE)
_SEPARATOR: Final = ", "
_ADDRESSES: Final = frozenset({"location", "content-location"})
_TOTAL: Final = "view-total"  # with a hyphen, which no call has in its name


def forwardable(headers: IncomingHeaders, names: Collection[str]) -> dict[str, str]:
    """The client's headers that a plan passes on.

    A header that the client's `Connection` names belongs to that connection (RFC 9110, section
    7.6.1), and is left out whatever is declared.
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
            # WSGI hands bytes on as Latin-1 (PEP 3333); what is no UTF-8 stays the bytes it was
            raw = ", ".join(values).encode("latin-1", "replace")
            found[name] = raw.decode("utf-8", "surrogateescape")
    return found


def is_sendable(name: str, value: str) -> bool:
    """Whether a service's header can go on: in one line, and a URL where it has to be one.

    Werkzeug encodes these two when the head is sent, and raises for what is none.
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

    None that is malformed does, and no cookie that goes by a name of ours.
    """
    return tuple(
        (name, value)
        for name, value in headers
        if is_sendable(name, value) and not (name == "set-cookie" and _OURS.match(value))
    )


def calls_header(outcomes: Mapping[str, Outcome]) -> str:
    """The value of BFF-Calls: a dictionary (RFC 9651, section 3.2) of each call's outcome."""
    return _SEPARATOR.join(f"{name}={_outcome(each)}" for name, each in outcomes.items())


def lifecycle_headers(view: View) -> dict[str, str]:
    """Deprecation (RFC 9745) and Sunset (RFC 8594) of a version that is on its way out."""
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
        f'{name};dur={each.took * 1000:.1f};desc="{each.kind} {each.started * 1000:.1f}"'
        for name, each in outcomes.items()
        if each.started is not None
    ]
    return _SEPARATOR.join([*entries, f"{_TOTAL};dur={total * 1000:.1f}"])
