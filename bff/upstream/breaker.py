"""The circuit breaker of one address of a service."""

from collections import deque
from typing import Literal

from bff.model.policy import Break

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens when too many of the recent calls failed; closes after a few successful probes.

    Not thread-safe: the caller holds a lock, and passes the time in seconds.
    """

    def __init__(self, policy: Break) -> None:
        self._policy = policy
        self.state: State = "closed"
        self.opened = 0  # times, in total
        self._ended: deque[tuple[float, bool]] = deque(maxlen=policy.of)
        self._era = 0  # counts changes of state: outcomes of calls of an earlier state are ignored
        self._openings = 0  # consecutive
        self._until = 0.0
        self._probing = self._passed = 0

    def admits(self, now: float) -> bool:
        """Whether a call is allowed."""
        if self.state == "open":
            return now >= self._until
        return self.state == "closed" or self._probing + self._passed < self._policy.probes

    def opens_in(self, now: float) -> float:
        """Seconds until calls are allowed again."""
        return max(0.0, self._until - now)

    def enter(self, now: float) -> int:
        """Begin a call that was admitted; returns the `era` to pass to `leave`."""
        if self.state == "open" and now >= self._until:
            self._turn("half_open")
        if self.state == "half_open":
            self._probing += 1
        return self._era

    def leave(self, era: int, now: float, took: float, *, failed: bool | None) -> None:
        """End a call.

        Args:
            era: the result of `enter`.
            took: seconds.
            failed: None if it was cancelled; that counts only if the call was slow by then.
        """
        if era != self._era:
            return
        if self.state == "half_open":
            self._probing -= 1
        slow = self._policy.slow is not None and took > self._policy.slow
        if failed is None and not slow:
            return
        if self.state == "half_open":
            self._probed(now, failed=failed or slow)
        else:
            self._record(now, failed=failed or slow)

    def _probed(self, now: float, *, failed: bool) -> None:
        if failed:
            self._open(now)
            return
        self._passed += 1
        if self._passed >= self._policy.probes:
            self._openings = 0
            self._turn("closed")

    def _record(self, now: float, *, failed: bool) -> None:
        ended = self._ended
        ended.append((now, failed))
        if not failed or len(ended) < self._policy.of or ended[0][0] < now - self._policy.within:
            return
        if sum(bad for _, bad in ended) >= self._policy.failures * len(ended):
            self._open(now)

    def _open(self, now: float) -> None:
        self._until = now + min(
            self._policy.most, self._policy.open * 2.0 ** min(self._openings, 16)
        )
        self._openings += 1
        self.opened += 1
        self._turn("open")

    def _turn(self, state: State) -> None:
        self.state = state
        self._era += 1
        self._ended.clear()
        self._probing = self._passed = 0
