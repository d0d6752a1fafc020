"""How long calls took lately, and so when a second request is worth sending."""

from collections import deque
from typing import Final

from bff.model.policy import Hedge

_KEPT: Final = 100
_ENOUGH: Final = 20  # of fewer, the 95th percentile is one unlucky call
_PERCENTILE: Final = 0.95


class Latencies:
    """The last durations of one kind of request, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_KEPT)
        self._p95: float | None = None
        self._stale = 0

    def add(self, took: float) -> None:
        """Another answer has come."""
        self._last.append(took)
        self._stale += 1

    def p95(self) -> float | None:
        """The 95th percentile; None while too little is known."""
        if len(self._last) < _ENOUGH:
            return None
        if self._p95 is None or self._stale * 10 >= len(self._last):
            ordered = sorted(self._last)
            self._p95 = ordered[int(_PERCENTILE * (len(ordered) - 1))]
            self._stale = 0
        return self._p95


def hedge_after(policy: Hedge | None, latencies: Latencies | None) -> float | None:
    """Seconds after which a second request is sent; None for none."""
    if policy is None or policy.never:
        return None
    if policy.after is not None:
        return policy.after
    return latencies.p95() if latencies else None
