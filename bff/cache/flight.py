"""Flights: what several want at once is under way once, and is owned by none of them."""

from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class Flights(Generic[Waiter]):
    """Who waits for what.

    A flight's end takes its key away and the waiters with it, under one lock: who comes later
    finds none, and starts the next one. So nobody waits for what has ended.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._flights: dict[Hashable, tuple[float, list[Waiter]]] = {}

    def join(self, key: Hashable, waiter: Waiter, now: float, until: float) -> bool:
        """Wait for `key`; whether this waiter is the first, who then starts it.

        Args:
            now: seconds, on the clock of `until`.
            until: when the flight that would be started must have ended; one that has not ended
                by then is taken for lost, and nobody joins it any more.
        """
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and now < flight[0]:
                flight[1].append(waiter)
                return False
            lost = flight[1] if flight is not None else []
            self._flights[key] = (until, [*lost, waiter])
            return True

    def under_way(self, key: Hashable, now: float) -> bool:
        """Whether somebody has started it already."""
        with self._lock:
            flight = self._flights.get(key)
            return flight is not None and now < flight[0]

    def leave(self, key: Hashable, waiter: Waiter) -> None:
        """Wait no more; the flight goes on for the others, and for what is kept of it."""
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None and waiter in flight[1]:
                flight[1].remove(waiter)

    def land(self, key: Hashable) -> list[Waiter]:
        """End it; who waited, the one who started it first. Empty if it had ended already."""
        with self._lock:
            flight = self._flights.pop(key, None)
        return flight[1] if flight else []
