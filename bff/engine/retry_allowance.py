"""The retries and hedges of one request, counted against the retry budget of its service."""

from bff.engine.budget import Budget
from bff.upstream.guard import Guard


class RetryAllowance:
    """Admits retries and hedges, within the budgets of the service and the view.

    Args:
        budget: the view's.
    """

    __slots__ = ("_budget", "_guard", "_taken")

    def __init__(self, guard: Guard, budget: Budget) -> None:
        self._guard, self._budget, self._taken = guard, budget, 0

    def take(self) -> bool:
        """Take one from both budgets; returns whether another attempt may be sent."""
        if not self._guard.spend():
            return False
        self._taken += 1
        return self._budget.affords(1)

    def give_back(self) -> None:
        """Give back what was taken from the service's budget, as the attempts have ended."""
        if self._taken:
            self._guard.give_back(self._taken)
            self._taken = 0
