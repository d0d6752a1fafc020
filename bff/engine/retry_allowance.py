"""The share of one request in its service's budget for retries and hedges."""

from bff.engine.budget import Budget
from bff.upstream.guard import Guard


class RetryAllowance:
    """Admits retries and hedges, within the budgets of the service and the view.

    Args:
        budget: the view's.
    """

    __slots__ = ("_budget", "_guard", "_had")

    def __init__(self, guard: Guard, budget: Budget) -> None:
        self._guard, self._budget, self._had = guard, budget, 0

    def take(self) -> bool:
        """Whether one more may be sent."""
        if not self._guard.spend():
            return False
        self._had += 1
        return self._budget.affords(1)

    def give_back(self) -> None:
        """None of them is out any more."""
        if self._had:
            self._guard.give_back(self._had)
            self._had = 0
