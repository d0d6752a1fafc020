"""The retry budget of a service: it limits concurrent retries and hedges."""

from typing import Final

_FLOOR: Final = 3  # so that retries are possible at a low rate of requests


class ExtraBudget:
    """A retry budget, as in Envoy: a share of the concurrent requests may be retries or hedges.

    Without it, retries multiply the load of an overloaded service. Queued ones count too, or they
    would all be sent at once when the service recovers.

    Args:
        share: of all concurrent requests to the service, from 0 to 1.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self.out = 0
        self.refused = 0

    def take(self, requests: int) -> bool:
        """Take one retry or hedge from the budget; False if it is exhausted.

        Args:
            requests: all requests in flight or queued, retries and hedges included.
        """
        if self.out >= max(_FLOOR, int(self._share * requests)):
            self.refused += 1
            return False
        self.out += 1
        return True

    def give_back(self, number: int) -> None:
        """Return a number of retries and hedges that have ended."""
        self.out -= number
