"""Does things a while later: one thread for all that wait, started by the first that has to."""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from threading import Condition, Thread
from time import monotonic

# Does something so many seconds from now; what it gives takes that back.
After = Callable[[float, Callable[[], None]], Callable[[], None]]


class Delays:
    """Real time. What is due at once is done at once, on the thread that asks."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int]] = []
        self._actions: dict[int, Callable[[], None]] = {}  # of those that were not taken back
        self._changed = Condition()
        self._thread: Thread | None = None
        self._numbers = 0

    def after(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Do something so many seconds from now."""
        if seconds <= 0:
            action()
            return _nothing
        with self._changed:
            self._numbers += 1
            number = self._numbers
            heappush(self._due, (monotonic() + seconds, number))
            self._actions[number] = action
            if self._thread is None:
                thread = Thread(target=self._run, name="bff-delays", daemon=True)
                thread.start()
                self._thread = thread
            self._changed.notify()
        return partial(self._withdraw, number)

    def _withdraw(self, number: int) -> None:
        self._actions.pop(number, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > monotonic():
                    left = self._due[0][0] - monotonic() if self._due else None
                    self._changed.wait(left)
                action = self._actions.pop(heappop(self._due)[1], None)
            if action:
                action()


def _nothing() -> None:
    """It is done: there is nothing to take back."""
