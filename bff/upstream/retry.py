"""Whether a request is sent again, and how long it waits before."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, Final

from bff.errors import TimedOut, Unreachable
from bff.model.exchange import Reply
from bff.model.policy import Retry

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})  # RFC 9110, section 9.2.2
_TOO_MANY: Final = 429
_MOST_DOUBLINGS: Final = 16


def wait_before(
    policy: Retry, tried: int, result: Any, left: float, dice: Callable[[], float]
) -> float | None:
    """Seconds to wait before the request is sent again: exponential, with full jitter.

    Args:
        tried: how often it was sent.
        result: the reply or the error that came last.
        left: seconds until the call has to end.
        dice: gives numbers from 0 up to 1.

    Returns:
        None where it is not sent again: it may not be, or there is no time for it.
    """
    if tried > policy.retries or not _is_declared(policy, result):
        return None
    wait = dice() * min(policy.most, policy.first * 2.0 ** min(tried - 1, _MOST_DOUBLINGS))
    if isinstance(result, Reply):
        wait += _retry_after(result) or 0.0
    return wait if wait < left else None


def _is_declared(policy: Retry, result: Any) -> bool:
    if isinstance(result, Reply):
        if result.status == _TOO_MANY and _retry_after(result) is None:
            return False  # it says to stop, and not until when
        return str(result.status) in policy.on
    if isinstance(result, TimedOut):
        return policy.each is not None
    return isinstance(result, Unreachable) and result.before in policy.on


def _retry_after(reply: Reply) -> float | None:
    """The seconds of Retry-After (RFC 9110, section 10.2.3); a date counts from the reply's own."""
    given = (reply.header("retry-after") or "").strip()
    if given.isascii() and given.isdigit():
        return float(given)
    try:
        until = parsedate_to_datetime(given)
        since = parsedate_to_datetime(reply.header("date") or "")
        return max(0.0, (until - since).total_seconds())
    except (TypeError, ValueError):
        return None
