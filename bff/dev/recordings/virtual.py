"""Time that passes only where somebody waits for it: what takes seconds is over at once.

It is for one thread: the one that conducts.
"""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Any

from bff.model.exchange import Deadline
from bff.upstream.exchange import Completion, Mailbox, Sink


class VirtualClock:
    """A clock that leaps to the next thing that is due."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, int]] = []
        self._actions: dict[int, Callable[[], None]] = {}  # of those that were not taken back
        self._numbers = 0

    def now(self) -> float:
        """Seconds since it was made."""
        return self._now

    def advance(self, to: float) -> None:
        """Have it be so late, with nothing done that is due until then; it never goes back."""
        self._now = max(self._now, to)

    def mailbox(self) -> Mailbox:
        """A mailbox in which waiting is what makes time pass."""
        return _Mailbox(self)

    def after(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Do something so many seconds from now; what is returned takes that back."""
        self._numbers += 1
        number = self._numbers
        heappush(self._due, (self._now + max(0.0, seconds), number))
        self._actions[number] = action
        return partial(self._withdraw, number)

    def _withdraw(self, number: int) -> None:
        self._actions.pop(number, None)

    def leap(self, until: float) -> bool:
        """Do the next thing that is due no later than `until`, or let that much time pass."""
        while self._due and self._due[0][0] <= until:
            at, number = heappop(self._due)
            action = self._actions.pop(number, None)
            if action:
                self.advance(at)
                action()
                return True
        self.advance(until)
        return False


class _Mailbox:
    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._arrived: list[Completion] = []

    def put(self, completion: Completion) -> None:
        self._arrived.append(completion)

    def get(self, timeout: float) -> Completion | None:
        until = self._clock.now() + timeout
        while not self._arrived:
            if not self._clock.leap(until):
                break
        return self._arrived.pop(0) if self._arrived else None


class InlineEffects:
    """Effects that take place at once, on the thread that wants them."""

    def __init__(self, perform: Callable[[Any], Any]) -> None:
        self._perform = perform

    def start(self, effect: Any, deadline: Deadline, attempt: int, mailbox: Sink) -> None:
        """Have it done."""
        del deadline
        mailbox.put(Completion(attempt, self._perform(effect)))

    def cancel(self, ticket: None) -> None:
        """It is done already."""
