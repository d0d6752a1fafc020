"""Single flight: concurrent requests for the same work share one execution of it."""

from collections.abc import Callable, Hashable
from math import inf
from threading import Lock
from typing import Any, Generic, TypeVar

Waiter = TypeVar("Waiter")


class SingleFlight(Generic[Waiter]):
    """Work under way, by key, and its waiters.

    `complete` removes the key and its waiters under one lock: a later caller finds no flight, and
    starts the next one. So no caller waits for work that has ended.

    Args:
        deliver: gives a waiter the result, on the thread that completes the flight; the third
            argument is true for the waiter that started it. It must not raise.
    """

    def __init__(self, deliver: Callable[[Waiter, Any, bool], None]) -> None:
        self._deliver = deliver
        self._lock = Lock()
        self._flights: dict[Hashable, tuple[float, list[Waiter]]] = {}

    def __len__(self) -> int:
        """The number of flights under way."""
        return len(self._flights)

    def join(self, key: Hashable, waiter: Waiter, now: float = 0.0, until: float = inf) -> bool:
        """Wait for `key`; True for the first waiter, who then does the work and completes it.

        Args:
            now: seconds, on the clock of `until`.
            until: when a flight that is started here must have ended. One that is still under way
                then counts as lost: the next waiter starts anew, also for those who wait for it.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and now < flight[0]:
                flight[1].append(waiter)
                return False
            lost = flight[1] if flight is not None else []
            self._flights[key] = (until, [*lost, waiter])
            return True

    def start(
        self,
        key: Hashable,
        waiter: Waiter,
        work: Callable[[], object],
        failed: Callable[[Exception], Any],
        now: float = 0.0,
        until: float = inf,
    ) -> bool:
        """Wait for `key`; the first waiter starts `work`, which ends with `complete`.

        Where `work` raises, as it does where no thread can be started, the flight is completed at
        once, so that no waiter hangs.

        Args:
            failed: the result for the waiters in that case.

        Returns:
            Whether this waiter is the first.
        """
        first = self.join(key, waiter, now, until)
        if first:
            self.launch(key, work, failed)
        return first

    def launch(
        self, key: Hashable, work: Callable[[], object], failed: Callable[[Exception], Any]
    ) -> None:
        """Start the work of a flight that has been joined; see `start`."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, others may wait by now
            self.complete(key, failed(error))

    def leave(self, key: Hashable, waiter: Waiter) -> bool:
        """Stop waiting; the flight goes on. True if it has no waiters left."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None or waiter not in flight[1]:
                return False
            flight[1].remove(waiter)
            return not flight[1]

    def end(self, key: Hashable) -> list[Waiter]:
        """End a flight without a result, and return its waiters; none if it had ended already."""
        with self._lock:
            flight = self._flights.pop(key, None)
        return flight[1] if flight else []

    def complete(self, key: Hashable, result: Any) -> None:
        """End a flight, and give its result to all waiters."""
        for index, waiter in enumerate(self.end(key)):
            self._deliver(waiter, result, index == 0)
