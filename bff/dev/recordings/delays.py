"""Does things a while later: one thread for all that wait, started by the first that has to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from threading import Condition, Thread
from time import monotonic
from weakref import finalize

# Does something so many seconds from now; what it gives takes that back.
After = Callable[[float, Callable[[], None]], Callable[[], None]]


@dataclass(slots=True)
class _Shared:
    """What the thread has of its `Delays`: not it, which ends the thread when it is dropped."""

    due: list[tuple[float, int]] = field(default_factory=list)
    actions: dict[int, Callable[[], None]] = field(default_factory=dict)  # not taken back
    changed: Condition = field(default_factory=Condition)
    over: bool = False


class Delays:
    """Real time. What is due at once is done at once, on the thread that asks."""

    def __init__(self) -> None:
        self._shared = _Shared()
        self._thread: Thread | None = None
        self._numbers = 0
        finalize(self, _end, self._shared).atexit = False

    def after(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Do something so many seconds from now."""
        if seconds <= 0:
            action()
            return _nothing
        shared = self._shared
        with shared.changed:
            self._numbers += 1
            number = self._numbers
            heappush(shared.due, (monotonic() + seconds, number))
            shared.actions[number] = action
            if self._thread is None:
                thread = Thread(target=_run, args=(shared,), name="bff-delays", daemon=True)
                thread.start()
                self._thread = thread
            shared.changed.notify()
        return partial(_withdraw, shared, number)


def _withdraw(shared: _Shared, number: int) -> None:
    shared.actions.pop(number, None)


def _run(shared: _Shared) -> None:
    while True:
        with shared.changed:
            while not shared.due or shared.due[0][0] > monotonic():
                if shared.over:
                    return
                shared.changed.wait(shared.due[0][0] - monotonic() if shared.due else None)
            action = shared.actions.pop(heappop(shared.due)[1], None)
        if action:
            action()
        del action


def _end(shared: _Shared) -> None:
    with shared.changed:
        shared.over = True
        shared.changed.notify()


def _nothing() -> None:
    """It is done: there is nothing to take back."""
