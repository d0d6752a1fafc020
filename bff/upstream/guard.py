"""The resilience policies of each service in one process: admission, limits, choice of address.

The policies are plain state machines; the guard adds the lock and the clock. An admitted request
holds a `Permit` until it has ended, failed or been cancelled.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import random
from threading import Lock
from typing import Any, Final

from bff.errors import BffError, Cancelled, CircuitOpen, MemoryReached
from bff.model.exchange import Reply
from bff.model.service import Service
from bff.observe.events import AddressChanged, Observer
from bff.upstream.admission import OpenCircuits, admission_of
from bff.upstream.balance import Outliers, choose
from bff.upstream.breaker import Breaker
from bff.upstream.budget import ExtraBudget
from bff.upstream.concurrency_limit import ConcurrencyLimit
from bff.upstream.exchange import Clock, Completion, Sink
from bff.upstream.hedge import Latencies
from bff.upstream.permit import Permit

_FIRST_ERROR: Final = 500


@dataclass(slots=True, eq=False)
class QueuedRequest:
    """A request that waits in the queue of the concurrency limit; the mailbox gets its permit."""

    attempt: int
    mailbox: Sink
    avoid: Collection[str]
    permit: Permit | None = None


@dataclass(slots=True)
class _Address:
    url: str
    breaker: Breaker | None
    outstanding: int = 0
    ejections: int = 0  # times, in total


@dataclass(frozen=True, slots=True)
class GuardSnapshot:
    """A snapshot of one service, for operators.

    Args:
        places: the concurrency limit.
        waiting: requests in the queue.
        extra: retries and hedges that are in flight or queued.
        extra_refused: those that the retry budget refused, in total.
    """

    places: int
    in_flight: int
    waiting: int
    extra: int
    extra_refused: int
    addresses: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Guard:
    """The policies and the state of one service. Thread-safe.

    Args:
        default_limit: the concurrency limit of a service that declares none.
    """

    def __init__(
        self, service: Service, default_limit: int, clock: Clock, observer: Observer
    ) -> None:
        self._service, self._clock, self._observer = service, clock, observer
        self._lock = Lock()
        self._slots: ConcurrencyLimit[QueuedRequest] = ConcurrencyLimit(
            service.limit or default_limit
        )
        self._addresses = [
            _Address(url, Breaker(service.breaker) if service.breaker else None)
            for url in service.urls
        ]
        self._circuits = OpenCircuits([each.breaker for each in self._addresses])
        self._admission = admission_of(service, self._circuits)
        self._outliers = Outliers(service.eject, len(self._addresses))
        self._extra = ExtraBudget(service.budget)
        self._turn = 0
        self._latencies: dict[str, Latencies] = {}
        self._callbacks: list[Callable[[], None]] = []  # run without the lock

    def admit(self, avoid: Collection[str] = ()) -> Permit | None:
        """A permit to send a request now; None if the concurrency limit is reached.

        Args:
            avoid: addresses to use only if there is no other.

        Raises:
            UpstreamError: a policy refuses it, such as an open circuit breaker.
        """
        now = self._clock.now()
        with self._lock:
            for policy in self._admission:
                policy.admit(now)
            permit = self._permit(avoid, now) if self._slots.acquire() else None
        self._run_callbacks()
        return permit

    def start(self, avoid: Collection[str], attempt: int, mailbox: Sink) -> QueuedRequest:
        """Wait for a slot; the result of the completion is a permit or an error."""
        waiting = QueuedRequest(attempt, mailbox, avoid)
        with self._lock:
            if self._slots.acquire():  # a slot has become free since `admit`
                self._grant_next(waiting, self._clock.now())
            else:
                self._slots.enqueue(waiting)
        self._run_callbacks()
        return waiting

    def withdraw(self, waiting: QueuedRequest) -> bool:
        """Leave the queue; False if a completion has been sent, or is about to be."""
        with self._lock:
            return self._slots.dequeue(waiting)

    def cancel(self, waiting: QueuedRequest) -> None:
        """Leave the queue; a permit that was granted meanwhile is returned."""
        self.withdraw(waiting)
        if waiting.permit:
            self.settle(waiting.permit, Cancelled("cancelled while waiting for a slot"))

    def settle(self, permit: Permit, result: Reply | BffError) -> None:
        """End a permit with its outcome, or with `Cancelled`; further calls have no effect."""
        now = self._clock.now()
        with self._lock:
            if permit.over:
                return
            permit.over = True
            self._addresses[permit.address].outstanding -= 1
            try:
                self._record_outcome(permit, result, now)
            finally:
                self._grant_next(self._slots.release(), now)
        self._run_callbacks()
        attempted = permit.attempted(result, now)
        if attempted:
            self._observer(attempted)

    def spend(self) -> bool:
        """Take a retry or hedge from the retry budget; False if it is exhausted."""
        with self._lock:
            return self._extra.take(self._slots.taken + self._slots.waiting)

    def give_back(self, number: int) -> None:
        """Return a number of ended retries and hedges to the retry budget."""
        with self._lock:
            self._extra.give_back(number)

    def latencies(self, endpoint: str) -> Latencies:
        """The recent latencies of an endpoint."""
        with self._lock:
            return self._latencies.setdefault(endpoint, Latencies())

    def snapshot(self) -> GuardSnapshot:
        """The current state, for operators."""
        now = self._clock.now()
        with self._lock:
            addresses = {
                each.url: {
                    "state": each.breaker.state if each.breaker else "closed",
                    "opened": each.breaker.opened if each.breaker else 0,
                    "ejected": self._outliers.ejected(number, now),
                    "ejections": each.ejections,
                    "outstanding": each.outstanding,
                }
                for number, each in enumerate(self._addresses)
            }
            slots, extra = self._slots, self._extra
            out, refused = extra.out, extra.refused
            return GuardSnapshot(slots.limit, slots.taken, slots.waiting, out, refused, addresses)

    def _permit(self, avoid: Collection[str], now: float) -> Permit:
        """Choose an address for a slot that is taken; at least one must be available."""
        at = self._choose(avoid, now) if len(self._addresses) > 1 else 0
        address = self._addresses[at]
        address.outstanding += 1
        era = 0
        if address.breaker:
            before = address.breaker.state
            era = address.breaker.enter(now)
            self._note(address, before)
        return Permit(self, at, address.url, now, era)

    def _choose(self, avoid: Collection[str], now: float) -> int:
        admitting = [
            number
            for number, each in enumerate(self._addresses)
            if not each.breaker or each.breaker.admits(now)
        ]
        well = [number for number in admitting if not self._outliers.ejected(number, now)]
        fresh = [number for number in well if self._addresses[number].url not in avoid]
        self._turn += 1
        outstanding = [each.outstanding for each in self._addresses]
        return choose(self._service.balance, outstanding, fresh or well or admitting, self._turn)

    def _grant_next(self, waiting: QueuedRequest | None, now: float) -> None:
        """Pass a taken slot to a waiting request; if it is refused, to the next one."""
        while waiting:
            try:
                self._circuits.admit(now)
            except CircuitOpen as error:
                self._callbacks.append(
                    partial(waiting.mailbox.put, Completion(waiting.attempt, error))
                )
                waiting = self._slots.release()
            else:
                permit = waiting.permit = self._permit(waiting.avoid, now)
                self._callbacks.append(
                    partial(waiting.mailbox.put, Completion(waiting.attempt, permit))
                )
                return

    def _record_outcome(self, permit: Permit, result: Reply | BffError, now: float) -> None:
        """Update circuit breaker, outliers and latencies with the outcome of a request."""
        failed = result.status >= _FIRST_ERROR if isinstance(result, Reply) else True
        took = now - permit.began
        address = self._addresses[permit.address]
        cancelled = isinstance(result, Cancelled | MemoryReached)  # not caused by the service
        if address.breaker:
            before = address.breaker.state
            address.breaker.leave(permit.era, now, took, failed=None if cancelled else failed)
            self._note(address, before)
        if not cancelled and self._outliers.record(permit.address, now, failed=failed):
            address.ejections += 1
            self._changed(permit.url, "ejected")
        if permit.latencies and not failed:
            permit.latencies.add(took)

    def _note(self, address: _Address, before: str) -> None:
        if address.breaker and address.breaker.state != before:
            self._changed(address.url, address.breaker.state)

    def _changed(self, url: str, state: str) -> None:
        self._callbacks.append(
            partial(self._observer, AddressChanged(self._service.name, url, state))
        )

    def _run_callbacks(self) -> None:
        """Run pending callbacks without the lock, since they may call the guard again."""
        if self._callbacks:
            with self._lock:
                callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()


class Guards:
    """The guards of all services.

    Args:
        default_limit: the concurrency limit of services that declare none.
        dice: random numbers from 0 up to 1.
        observer: receives the outcome of each request, and changes of state of addresses.
    """

    def __init__(
        self,
        services: Mapping[str, Service],
        default_limit: int,
        clock: Clock,
        dice: Callable[[], float] = random,
        observer: Observer = lambda _: None,
    ) -> None:
        self.dice = dice
        self._guards = {
            name: Guard(service, default_limit, clock, observer)
            for name, service in services.items()
        }

    def __getitem__(self, service: str) -> Guard:
        """The guard of a service."""
        return self._guards[service]

    def snapshot(self) -> dict[str, GuardSnapshot]:
        """The current state of all services, by name, for operators."""
        return {name: guard.snapshot() for name, guard in self._guards.items()}
