"""Effects on a bounded pool of threads: what several conductors want at once takes place once."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

from bff.errors import BffError, Unreachable
from bff.model.exchange import Deadline
from bff.upstream.exchange import Completion, Effect, Sink
from bff.upstream.workers import Workers

Performer = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Longer:
    """What a performer gives for an effect that has to wait for somebody far away.

    It is done on threads of its own, so that whoever hangs there holds up nobody else.
    """

    work: Callable[[], Any]


_Waiter = tuple[int, Sink]


class PoolEffects:
    """Runs each effect by what its type is performed by.

    An effect is owned by nobody: it takes as long as its performer does, whatever the deadline of
    those who wait, and whoever leaves does not disturb the others.

    Args:
        performers: for each type of effect the function that does it, or says that it takes
            `Longer`; it may block, within bounds of its own, and raises BffError.
        size: threads for either.

    Threads start with the first effect, so one may be made before a fork.
    """

    def __init__(self, performers: Mapping[type, Performer], size: int) -> None:
        self._performers = performers
        self._workers = Workers(size, "bff-effects")
        self._longer = Workers(size, "bff-effects-longer")
        self._lock = Lock()
        self._flights: dict[Hashable, list[_Waiter]] = {}

    def start(self, effect: Effect, deadline: Deadline, attempt: int, mailbox: Sink) -> _Waiter:
        """Begin `effect`, or wait with those who wait for the same."""
        del deadline  # nobody's short deadline becomes everybody's; the conductor keeps its own
        waiter = (attempt, mailbox)
        key = effect.key
        with self._lock:
            others = self._flights.get(key)
            if others is not None:
                others.append(waiter)
                return waiter
            self._flights[key] = [waiter]
        try:
            work = partial(self._performers[type(effect)], effect)
            self._workers.submit(partial(self._perform, work, key))
        except RuntimeError as error:
            self._land(key, Unreachable(f"no thread: {error}"))
        return waiter

    def cancel(self, ticket: _Waiter) -> None:
        """Leave; a completion that comes all the same is ignored by its number."""

    def close(self) -> None:
        """End the threads."""
        self._workers.close()
        self._longer.close()

    def _perform(self, work: Callable[[], Any], key: Hashable) -> None:
        try:
            result: Any = work()
            if isinstance(result, Longer):
                self._longer.submit(partial(self._perform, result.work, key))
                return
        except BffError as error:
            result = error
        except Exception as error:  # noqa: BLE001  (whatever it raises, somebody waits)
            result = Unreachable(type(error).__name__)  # its text may hold what it happened to
        self._land(key, result)

    def _land(self, key: Hashable, result: Any) -> None:
        """Tell all who wait, and let nobody join any more: both at once."""
        with self._lock:
            waiters = self._flights.pop(key)
        for attempt, mailbox in waiters:
            mailbox.put(Completion(attempt, result))
