"""Hedging: the delay before a second request, from recent latencies."""

from collections import deque
from typing import Final

from bff.model.policy import Hedge

_WINDOW: Final = 100
_MIN_SAMPLES: Final = 20  # samples; of fewer, the 95th percentile is a single slow call
_PERCENTILE: Final = 0.95


class Latencies:
    """The last latencies of one endpoint, in seconds."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._p95: float | None = None
        self._stale = 0

    def add(self, took: float) -> None:
        """Add the latency of a reply."""
        self._last.append(took)
        self._stale += 1

    def p95(self) -> float | None:
        """The 95th percentile; None while there are too few samples."""
        if len(self._last) < _MIN_SAMPLES:
            return None
        if self._p95 is None or self._stale * 10 >= len(self._last):
            ordered = sorted(self._last)
            self._p95 = ordered[int(_PERCENTILE * (len(ordered) - 1))]
            self._stale = 0
        return self._p95


def hedge_after(policy: Hedge | None, latencies: Latencies | None) -> float | None:
    """Seconds after which to send a second request; None for no hedging."""
    if policy is None or policy.never:
        return None
    if policy.after is not None:
        return policy.after
    return latencies.p95() if latencies else None
