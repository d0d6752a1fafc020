"""Which of several addresses is asked, and which are left out for a while."""

from collections.abc import Sequence

from bff.model.policy import Balance, Eject


def choose(policy: Balance, outstanding: Sequence[int], among: Sequence[int], turn: int) -> int:
    """The address to ask.

    Args:
        outstanding: for every address, how many requests it has not answered.
        among: the addresses that may be asked, in their order; at least one.
        turn: how many choices were made before: whose turn it is, among equals too.
    """
    begin = turn % len(among)
    rotated = [*among[begin:], *among[:begin]]
    if policy == "round_robin":
        return rotated[0]
    return min(rotated, key=outstanding.__getitem__)


class Outliers:
    """The addresses that failed again and again, while there are others.

    Args:
        addresses: how many there are.
    """

    def __init__(self, policy: Eject, addresses: int) -> None:
        self._policy = policy
        self._failures = [0] * addresses
        self._until = [0.0] * addresses
        self._times = [0] * addresses
        self._most = int(policy.share * addresses) if addresses > 1 else 0

    def ejected(self, address: int, now: float) -> bool:
        """Whether it is left out."""
        return now < self._until[address]

    def record(self, address: int, now: float, *, failed: bool) -> bool:
        """An answer has come, or has not.

        Returns:
            Whether the address is left out from now on.
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
        """One time is forgotten when it has been well for as long as it would be left out."""
        if not self._times[address] or now < self._until[address] + self._policy.time:
            return 0
        self._until[address] = now
        return 1
