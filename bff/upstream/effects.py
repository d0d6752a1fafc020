"""Effects on a bounded pool of threads; concurrent equal effects are performed once."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from bff.cache.single_flight import SingleFlight
from bff.errors import BffError, Unreachable
from bff.model.exchange import Deadline
from bff.observe.boundary import ErrorBoundary
from bff.upstream.exchange import Completion, Effect, Sink
from bff.upstream.thread_pool import ThreadPool

Performer = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class RemoteWork:
    """The result of a performer whose work waits for a remote system.

    Such work runs on a separate pool, so that a remote system that hangs delays no other effect.
    """

    work: Callable[[], Any]


_Waiter = tuple[int, Sink]


class PoolEffects:
    """Performs each effect by the performer of its type.

    An effect is independent of its waiters: their deadlines do not bound it, and a waiter that
    cancels does not affect the others.

    Args:
        performers: by type of effect, a function that performs it or returns `RemoteWork`; it may
            block for a bounded time, and raises BffError.
        size: threads of each of the two pools.
        boundary: reports unexpected exceptions of performers.

    Threads start with the first effect, so an instance can be created before a fork.
    """

    def __init__(
        self,
        performers: Mapping[type, Performer],
        size: int,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        self._performers, self._boundary = performers, boundary or ErrorBoundary()
        self._workers = ThreadPool(size, "bff-effects")
        self._longer = ThreadPool(size, "bff-effects-longer")
        self._flights: SingleFlight[_Waiter] = SingleFlight(_deliver)

    def start(self, effect: Effect, deadline: Deadline, attempt: int, mailbox: Sink) -> _Waiter:
        """Start `effect`, or wait for the equal one that is in progress."""
        del deadline  # a waiter's deadline must not bound the others; the conductor applies it
        waiter = (attempt, mailbox)
        work = partial(self._performers[type(effect)], effect)
        job = partial(self._perform, work, effect.key)
        submit = partial(self._workers.submit, job)
        self._flights.start(effect.key, waiter, submit, _no_thread)
        return waiter

    def cancel(self, handle: _Waiter) -> None:
        """Do nothing: the conductor ignores the completion by its attempt number."""

    def close(self) -> None:
        """End the threads."""
        self._workers.close()
        self._longer.close()

    def _perform(self, work: Callable[[], Any], key: Hashable) -> None:
        try:
            result: Any = work()
        except BffError as error:
            result = error
        except Exception as error:  # noqa: BLE001  (the waiters need a result)
            result = self._boundary.reported(error, "effect")
        if isinstance(result, RemoteWork):
            job = partial(self._perform, result.work, key)
            self._flights.launch(key, partial(self._longer.submit, job), _no_thread)
        else:
            self._flights.complete(key, result)


def _deliver(waiter: _Waiter, result: Any, _first: bool) -> None:  # noqa: FBT001 - a callback
    attempt, mailbox = waiter
    mailbox.put(Completion(attempt, result))


def _no_thread(error: Exception) -> Unreachable:
    return Unreachable(f"no thread: {error}")
