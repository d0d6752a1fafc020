"""How many requests may be sent besides the first ones: retries and hedges of one service."""

from typing import Final

_FLOOR: Final = 3  # so that a service that is seldom asked has retries at all


class ExtraBudget:
    """Counts what was sent, or waits to be sent, besides first requests.

    Without it, retries multiply the load of a service at the moment that it can bear least. Those
    that wait count, or all of them would be let go at once.

    Args:
        share: of the requests to the service at the same time.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self.out = 0
        self.refused = 0

    def take(self, requests: int) -> bool:
        """Whether one more may be sent.

        Args:
            requests: that are out or in line, first ones and others.
        """
        if self.out >= max(_FLOOR, int(self._share * requests)):
            self.refused += 1
            return False
        self.out += 1
        return True

    def give_back(self, number: int) -> None:
        """So many have ended."""
        self.out -= number
