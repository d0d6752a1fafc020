"""Single flight: work that several want at once is done once, and is owned by none of them."""

from collections.abc import Callable, Hashable
from math import inf
from threading import Lock
from typing import Any, Generic, TypeVar

Waiter = TypeVar("Waiter")


class SingleFlight(Generic[Waiter]):
    """Who waits for what.

    The end of a flight takes its key and its waiters away under one lock: a later caller finds no
    flight, and starts the next one. So no caller waits for work that has ended.

    Args:
        deliver: hands a waiter what the work came to, on the thread that ends it; the third
            argument is true for the one for whom it was started. It must not raise.
    """

    def __init__(self, deliver: Callable[[Waiter, Any, bool], None]) -> None:
        self._deliver = deliver
        self._lock = Lock()
        self._flights: dict[Hashable, tuple[float, list[Waiter]]] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._flights)

    def join(self, key: Hashable, waiter: Waiter, now: float = 0.0, until: float = inf) -> bool:
        """Wait for `key`; whether this waiter is the first, who then does the work and lands it.

        Args:
            now: seconds, on the clock of `until`.
            until: when the flight that would be started must have ended; one that has not ended
                by then counts as lost, and is joined no more.
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
        """Wait for `key`; the first waiter hands `work` on, to end with `land`.

        Where that raises, as it does where no thread can be started, the flight lands at once: no
        waiter hangs.

        Args:
            failed: what waiters get then.

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
        """Hand on the work of a flight that has been joined; see `start`."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, others may wait by now
            self.land(key, failed(error))

    def leave(self, key: Hashable, waiter: Waiter) -> bool:
        """Wait no more; whether nobody is left to wait. The flight goes on."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is None or waiter not in flight[1]:
                return False
            flight[1].remove(waiter)
            return not flight[1]

    def end(self, key: Hashable) -> list[Waiter]:
        """End a flight without delivering; who waited. Empty if it had ended already."""
        with self._lock:
            flight = self._flights.pop(key, None)
        return flight[1] if flight else []

    def land(self, key: Hashable, result: Any) -> None:
        """End a flight, and hand its result to all who wait."""
        for index, waiter in enumerate(self.end(key)):
            self._deliver(waiter, result, index == 0)
