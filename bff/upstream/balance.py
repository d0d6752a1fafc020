"""Load balancing over the addresses of a service, and ejection of outliers."""

from collections.abc import Sequence

from bff.model.policy import Balance, Eject


def choose(policy: Balance, outstanding: Sequence[int], among: Sequence[int], turn: int) -> int:
    """Choose an address; returns its index.

    Args:
        outstanding: for every address, the number of requests in flight.
        among: indices of the available addresses, in order; at least one.
        turn: the number of earlier choices; round robin, and ties of least outstanding, use it.
    """
    begin = turn % len(among)
    rotated = [*among[begin:], *among[:begin]]
    if policy == "round_robin":
        return rotated[0]
    return min(rotated, key=outstanding.__getitem__)


class Outliers:
    """Outlier ejection: an address with consecutive failures gets no requests for a while.

    Args:
        addresses: the number of addresses of the service.
    """

    def __init__(self, policy: Eject, addresses: int) -> None:
        self._policy = policy
        self._failures = [0] * addresses
        self._until = [0.0] * addresses
        self._times = [0] * addresses
        self._most = int(policy.share * addresses) if addresses > 1 else 0

    def ejected(self, address: int, now: float) -> bool:
        """Whether an address is ejected."""
        return now < self._until[address]

    def record(self, address: int, now: float, *, failed: bool) -> bool:
        """Record the outcome of a request.

        Returns:
            Whether this ejects the address.
        """
        if self.ejected(address, now):
            return False
        if not failed:
            self._failures[address] = 0
            self._times[address] = max(0, self._times[address] - self._forgives(address, now))
            return False
        self._failures[address] += 1
        out = sum(self.ejected(each, now) for each in range(len(self._until)))
        if self._failures[address] < self._policy.after or out >= self._most:
            return False
        self._failures[address] = 0
        self._times[address] += 1
        time = min(self._policy.most, self._policy.time * self._times[address])
        self._until[address] = now + time
        return True

    def _forgives(self, address: int, now: float) -> int:
        """1 if a success cancels one earlier ejection: after one ejection time without failures."""
        if not self._times[address] or now < self._until[address] + self._policy.time:
            return 0
        self._until[address] = now
        return 1
