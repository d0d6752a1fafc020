"""Delayed actions: one thread runs them all, started with the first."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from threading import Condition, Thread
from time import monotonic
from weakref import finalize

# Schedules an action, in seconds from now; returns a function that cancels it.
After = Callable[[float, Callable[[], None]], Callable[[], None]]


@dataclass(slots=True)
class _Schedule:
    """The state shared with the thread, which holds no reference to `Delays` and ends with it."""

    due: list[tuple[float, int]] = field(default_factory=list)
    actions: dict[int, Callable[[], None]] = field(default_factory=dict)  # not cancelled
    changed: Condition = field(default_factory=Condition)
    over: bool = False


class Delays:
    """Actions in real time. Without a delay they run at once, on the calling thread."""

    def __init__(self) -> None:
        self._shared = _Schedule()
        self._thread: Thread | None = None
        self._numbers = 0
        finalize(self, _end, self._shared).atexit = False

    def after(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Run an action `seconds` from now; returns a function that cancels it."""
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


def _withdraw(shared: _Schedule, number: int) -> None:
    shared.actions.pop(number, None)


def _run(shared: _Schedule) -> None:
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


def _end(shared: _Schedule) -> None:
    with shared.changed:
        shared.over = True
        shared.changed.notify()


def _nothing() -> None:
    """The action has run: there is nothing to cancel."""
