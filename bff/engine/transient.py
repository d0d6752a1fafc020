"""Transient failures: those for which a retry or a stale cached reply may help."""

from typing import Final

from bff.errors import BadStatus, BffError, Unfillable
from bff.model.exchange import Reply

_TRANSIENT: Final = frozenset({429, *range(500, 600)})


def is_bad(result: Reply | BffError) -> bool:
    """True for an error, or a reply with a status that another attempt may not have."""
    return not isinstance(result, Reply) or result.status in _TRANSIENT


def may_be_stood_in_for(error: BffError) -> bool:
    """True if a stale reply may replace an error (`stale-if-error`, RFC 5861, section 4).

    A 404 is the answer of a service; a 503, a time-out or a malformed reply is not.
    """
    if not isinstance(error, BadStatus):
        return not isinstance(error, Unfillable)
    return error.upstream_status in _TRANSIENT
