"""Does things a while later: one thread for all that wait, started by the first that has to."""

from collections.abc import Callable
from heapq import heappop, heappush
from threading import Condition, Thread
from time import monotonic

# Does something so many seconds from now; what it gives takes that back.
After = Callable[[float, Callable[[], None]], Callable[[], None]]


class Delays:
    """Real time. What is due at once is done at once, on the thread that asks."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = Condition()
        self._thread: Thread | None = None
        self._numbers = 0
        self._withdrawn: set[int] = set()

    def after(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Do something so many seconds from now."""
        if seconds <= 0:
            action()
            return _nothing
        with self._changed:
            self._numbers += 1
            number = self._numbers
            heappush(self._due, (monotonic() + seconds, number, action))
            if self._thread is None:
                self._thread = Thread(target=self._run, name="bff-delays", daemon=True)
                self._thread.start()
            self._changed.notify()
        return lambda: self._withdrawn.add(number)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > monotonic():
                    left = self._due[0][0] - monotonic() if self._due else None
                    self._changed.wait(left)
                _, number, action = heappop(self._due)
            if number not in self._withdrawn:
                action()
            self._withdrawn.discard(number)


def _nothing() -> None:
    """It is done: there is nothing to take back."""
