"""The retry policy: whether to retry a request, and the backoff before."""

from collections.abc import Callable
from typing import Any, Final

from bff.errors import TimedOut, Unreachable
from bff.model.exchange import Reply
from bff.model.policy import Retry
from bff.model.untrusted import http_date, whole_number

IDEMPOTENT: Final = frozenset({"GET", "HEAD", "PUT", "DELETE"})  # RFC 9110, section 9.2.2
_TOO_MANY: Final = 429
_MOST_DOUBLINGS: Final = 16


def wait_before(
    policy: Retry, tried: int, result: Any, left: float, dice: Callable[[], float]
) -> float | None:
    """Seconds to wait before the next retry: exponential backoff with full jitter.

    Args:
        tried: the number of attempts so far.
        result: the last reply or error.
        left: seconds until the deadline of the call.
        dice: random numbers from 0 up to 1.

    Returns:
        The delay, at least that of Retry-After; None if the policy excludes a retry or the delay
        exceeds the deadline.
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
            return False  # 429 without Retry-After: the service gives no time for a retry
        return str(result.status) in policy.on
    if isinstance(result, TimedOut):
        return policy.each is not None
    return isinstance(result, Unreachable) and result.before in policy.on


def _retry_after(reply: Reply) -> float | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3); a date is relative to the reply's Date."""
    given = (reply.header("retry-after") or "").strip()
    seconds = whole_number(given)
    if seconds is not None:
        return float(seconds)
    until, since = http_date(given), http_date(reply.header("date") or "")
    return None if until is None or since is None else max(0.0, until - since)
