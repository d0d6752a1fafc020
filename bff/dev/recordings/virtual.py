"""Virtual time for one thread: waiting advances the clock at once."""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Any

from bff.model.exchange import Deadline
from bff.upstream.exchange import Completion, Mailbox, Sink


class VirtualClock:
    """A clock that advances to the next scheduled action."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: list[tuple[float, int]] = []
        self._actions: dict[int, Callable[[], None]] = {}  # not cancelled
        self._numbers = 0

    def now(self) -> float:
        """Seconds since it was created."""
        return self._now

    def advance(self, to: float) -> None:
        """Set the clock forward without running actions; never backward."""
        self._now = max(self._now, to)

    def mailbox(self) -> Mailbox:
        """A mailbox in which waiting advances the clock."""
        return _VirtualMailbox(self)

    def after(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        """Schedule an action, in seconds from now; returns a function that cancels it."""
        self._numbers += 1
        number = self._numbers
        heappush(self._due, (self._now + max(0.0, seconds), number))
        self._actions[number] = action
        return partial(self._withdraw, number)

    def _withdraw(self, number: int) -> None:
        self._actions.pop(number, None)

    def leap(self, until: float) -> bool:
        """Run the next action due by `until`, or advance the clock to it; True if an action ran."""
        while self._due and self._due[0][0] <= until:
            at, number = heappop(self._due)
            action = self._actions.pop(number, None)
            if action:
                self.advance(at)
                action()
                return True
        self.advance(until)
        return False


class _VirtualMailbox:
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
    """Effects that run at once, on the calling thread."""

    def __init__(self, perform: Callable[[Any], Any]) -> None:
        self._perform = perform

    def start(self, effect: Any, deadline: Deadline, attempt: int, mailbox: Sink) -> None:
        """Run an effect and deliver its result."""
        del deadline
        mailbox.put(Completion(attempt, self._perform(effect)))

    def cancel(self, handle: None) -> None:
        """Nothing to cancel: it has run."""
