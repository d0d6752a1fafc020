"""Effects on a bounded pool of threads: what several conductors want at once takes place once."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bff.cache.single_flight import SingleFlight
from bff.errors import BffError, Unreachable
from bff.model.exchange import Deadline
from bff.observe.boundary import ErrorBoundary
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
        boundary: hears of what a performer raises unforeseen.

    Threads start with the first effect, so one may be made before a fork.
    """

    def __init__(
        self,
        performers: Mapping[type, Performer],
        size: int,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        self._performers, self._boundary = performers, boundary or ErrorBoundary()
        self._workers = Workers(size, "bff-effects")
        self._longer = Workers(size, "bff-effects-longer")
        self._flights: SingleFlight[_Waiter] = SingleFlight(_deliver)

    def start(self, effect: Effect, deadline: Deadline, attempt: int, mailbox: Sink) -> _Waiter:
        """Begin `effect`, or wait with those who wait for the same."""
        del deadline  # nobody's short deadline becomes everybody's; the conductor keeps its own
        waiter = (attempt, mailbox)
        work = partial(self._performers[type(effect)], effect)
        job = partial(self._perform, work, effect.key)
        submit = partial(self._workers.submit, job)
        self._flights.start(effect.key, waiter, submit, _no_thread)
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
        except BffError as error:
            result = error
        except Exception as error:  # noqa: BLE001  (whatever it raises, somebody waits)
            result = self._boundary.reported(error, "effect")
        if isinstance(result, Longer):
            job = partial(self._perform, result.work, key)
            self._flights.launch(key, partial(self._longer.submit, job), _no_thread)
        else:
            self._flights.complete(key, result)


def _deliver(waiter: _Waiter, result: Any, _first: bool) -> None:  # noqa: FBT001 - a callback
    attempt, mailbox = waiter
    mailbox.put(Completion(attempt, result))


def _no_thread(error: Exception) -> Unreachable:
    return Unreachable(f"no thread: {error}")
