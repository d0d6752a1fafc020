"""Transient failures: another attempt, or a cached reply, may do better."""

from typing import Final

from bff.errors import BadStatus, BffError, Unfillable
from bff.model.exchange import Reply

_PERHAPS_BETTER: Final = frozenset({429, *range(500, 600)})  # next time, or elsewhere


def is_bad(result: Reply | BffError) -> bool:
    """Whether another attempt may bring what this one did not."""
    return not isinstance(result, Reply) or result.status in _PERHAPS_BETTER


def may_be_stood_in_for(error: BffError) -> bool:
    """Whether an error is of a service that is not well, and not its answer (RFC 5861, 4)."""
    if not isinstance(error, BadStatus):
        return not isinstance(error, Unfillable)
    return error.upstream_status in _PERHAPS_BETTER
