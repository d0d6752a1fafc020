"""Shared fetches: requests whose replies are cached, each sent once for all who wait for it.

A fetch has the full time-out of its call, independent of its waiters: one that times out leaves,
and the fetch goes on. When it ends, its reply is stored first; only then its key is removed and its
waiters get the result. So a later request finds either the fetch or the stored reply.
"""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from bff.cache.cache import Cache, RemoteWrite
from bff.cache.entry import CacheEntry
from bff.cache.policy import conditional_headers, confirmed, confirms
from bff.cache.reply_entry import entry_of
from bff.cache.single_flight import SingleFlight
from bff.errors import Cancelled, LimitReached, UpstreamError
from bff.model.exchange import Deadline, Reply, Request, Tried
from bff.observe.boundary import ErrorBoundary
from bff.plan.cache_rule import CachePolicy
from bff.upstream.exchange import NULL_MAILBOX, Clock, Completion, Effects, Exchange, Mailbox
from bff.upstream.guard import Guard, Guards, QueuedRequest
from bff.upstream.hedge import Latencies
from bff.upstream.permit import Permit

_SLACK: Final = 0.5  # seconds by which an exchange may be late with a time-out
_WRITE: Final = 1.0  # seconds that a write to the shared store may take
_NOT_MODIFIED: Final = 304
NO_SLOT: Final = "concurrency limit reached: timed out waiting for a slot"


@dataclass(frozen=True, slots=True)
class SharedFetch:
    """A request whose reply is to be cached.

    Args:
        key: fetches with the same key are one fetch; see `flight_key`.
        address: where the reply is stored; None where it cannot be at the moment.
        entry: the stored entry to revalidate.
        timeout: seconds that the fetch may take.
        exchange: carries it: the exchange of the request that starts it.
        readable: whether the call can read a reply.
        label: a description for operators, without any user's data.
        why: the reason for which it is sent, and how often it was sent before.
        wait: seconds of the time-out that it may wait for a permit; None for all of them.
        avoid: addresses that are used only if there is no other.
        deadline: the name of the header that tells the service how much time is left.
        latencies: records how long it takes.
    """

    request: Request
    key: Hashable
    address: str | None
    policy: CachePolicy
    entry: CacheEntry | None
    timeout: float
    exchange: Exchange
    readable: Callable[[Reply], bool]
    label: str
    why: Tried
    wait: float | None = None
    avoid: Collection[str] = ()
    deadline: str | None = None
    latencies: Latencies | None = None


@dataclass(frozen=True, slots=True)
class FetchResult:
    """The result of a fetch for one of its waiters.

    Args:
        led: whether this waiter has started the fetch.
        entry: the stored reply; None where it was not stored.
        url: the address that the request was sent to.
    """

    result: Any
    led: bool
    entry: CacheEntry | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    attempt: int
    mailbox: Mailbox


class SharedFetches:
    """Starts fetches, and lets other requests wait for those that are under way."""

    def __init__(
        self,
        effects: Effects,
        cache: Cache,
        clock: Clock,
        guards: Guards,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        self._effects, self._guards = effects, guards
        self._cache, self._clock = cache, clock
        self._boundary = boundary or ErrorBoundary()
        self._flights: SingleFlight[_Waiter] = SingleFlight(_deliver)
        self._queued: dict[Hashable, _QueuedFetch] = {}

    def start(
        self, fetch: SharedFetch, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> tuple[Hashable, _Waiter]:
        """Wait for a fetch; the first waiter starts it.

        Args:
            deadline: of the waiter, which does not bound the fetch.

        Returns:
            The handle for `cancel`.
        """
        del deadline
        key, now = fetch.key, self._clock.now()
        ends = now + fetch.timeout
        waiter = _Waiter(attempt, mailbox)
        begin = partial(self._begin, fetch, Deadline(ends), now)
        failed = partial(self.failed, fetch)
        self._flights.start(key, waiter, begin, failed, now, ends + _SLACK)
        return key, waiter

    def failed(self, fetch: SharedFetch, error: Exception) -> "FetchResult":
        """The result of a fetch in which an unexpected exception was raised."""
        return FetchResult(self._boundary.reported(error, "load", fetch.request.origin), led=False)

    def _begin(self, fetch: SharedFetch, ends: Deadline, now: float) -> None:
        entry = self._cache.get_fresh(fetch.address)  # stored by a fetch that has just ended
        if entry:
            self.complete(fetch.key, Reply(entry.status, entry.headers, entry.body), entry)
        else:
            self._admit(_FetchMailbox(self, fetch, ends), now)

    def cancel(self, handle: tuple[Hashable, _Waiter]) -> None:
        """Stop waiting; the fetch goes on."""
        self._flights.leave(*handle)

    def store(self, address: str, entry: CacheEntry) -> None:
        """Store an entry in memory and, without waiting for it, in the shared store."""
        self._cache.put_local(address, entry)
        if self._cache.shared:
            deadline = Deadline(self._clock.now() + _WRITE)
            self._effects.start(RemoteWrite(address, entry), deadline, 0, NULL_MAILBOX)

    def store_reply(self, fetch: SharedFetch, result: Any) -> tuple[Any, CacheEntry | None]:
        """Store the reply of a fetch if that is allowed.

        Returns:
            The reply, or the stored one that a 304 has confirmed; and the entry if it was stored.
        """
        if not isinstance(result, Reply):
            return result, None
        if fetch.entry and _is_not_modified(fetch, result):
            result = confirmed(fetch.entry, result)
        rule, shared = fetch.policy.rule, fetch.policy.shared
        now, chance = self._cache.now(), self._cache.chance
        entry = entry_of(rule, fetch.request, result, shared, now, chance, fetch.label)
        if entry is None or fetch.address is None or not fetch.readable(result):
            return result, None
        self.store(fetch.address, entry)
        return result, entry

    def fetch_again(self, fetch: SharedFetch, ends: Deadline) -> None:
        """Send a request without its condition, as the 304 was about another version."""
        self._admit(_FetchMailbox(self, replace(fetch, entry=None), ends), self._clock.now())

    def complete(self, key: Hashable, result: Any, entry: CacheEntry | None, url: str = "") -> None:
        """Give the result to all waiters."""
        self._flights.complete(key, FetchResult(result, led=False, entry=entry, url=url))

    def send(self, mailbox: "_FetchMailbox", permit: Permit) -> None:
        """Send a request that has a permit, unless its time is over."""
        fetch = mailbox.fetch
        if not mailbox.ends.left(self._clock.now()):
            permit.settle(Cancelled("the permit came after the deadline"))
            mailbox.put(Completion(0, LimitReached(NO_SLOT)))
            return
        mailbox.url = permit.url
        permit.latencies = fetch.latencies
        request = replace(_conditional(fetch), url=permit.url)
        if fetch.deadline:
            left = str(int(mailbox.ends.left(self._clock.now()) * 1000))
            request = replace(request, headers=(*request.headers, (fetch.deadline, left)))
        request = permit.record_request(request, *fetch.why)
        permit.start(fetch.exchange, request, mailbox.ends, 0, mailbox)

    def is_queued(self, fetch: SharedFetch) -> bool:
        """Whether a fetch still waits for a permit."""
        return fetch.key in self._queued

    def fail_if_overdue(self, fetch: SharedFetch) -> None:
        """Fail a fetch, for all waiters, if its wait for a permit has timed out."""
        queued = self._queued.get(fetch.key)
        if queued and queued.is_overdue(self._clock.now()):
            queued.fail()

    def _admit(self, mailbox: "_FetchMailbox", now: float) -> None:
        """Get a permit of the service, at once or in its queue: one for all waiters."""
        fetch = mailbox.fetch
        guard = self._guards[fetch.request.service]
        try:
            permit = guard.admit(fetch.avoid)
        except UpstreamError as error:
            mailbox.put(Completion(0, error))
            return
        if permit:
            self.send(mailbox, permit)
        else:
            _QueuedFetch(self._queued, self, guard, mailbox, now)


class _FetchMailbox:
    """Receives the completion of a fetch: stores its reply, and gives the result to all waiters."""

    def __init__(self, fetches: SharedFetches, fetch: SharedFetch, ends: Deadline) -> None:
        self._fetches = fetches
        self.fetch, self.ends, self.url = fetch, ends, ""

    def put(self, completion: Completion) -> None:
        """Complete the fetch, unless a 304 is about another version than the stored one."""
        result, entry, fetch = completion.result, None, self.fetch
        if fetch.entry and _is_not_modified(fetch, result) and not confirms(fetch.entry, result):
            self._fetches.fetch_again(fetch, self.ends)
            return
        try:
            result, entry = self._fetches.store_reply(fetch, result)
        except Exception as error:  # noqa: BLE001 - reported; the waiters get an error
            result = self._fetches.failed(fetch, error).result
        self._fetches.complete(fetch.key, result, entry, self.url)


class _QueuedFetch:
    """A fetch that waits for a permit."""

    def __init__(
        self,
        queued: dict[Hashable, "_QueuedFetch"],
        fetches: SharedFetches,
        guard: Guard,
        mailbox: _FetchMailbox,
        since: float,
    ) -> None:
        self._queued, self._fetches, self._guard, self._mailbox = queued, fetches, guard, mailbox
        self._since = since
        self._waiting: QueuedRequest | None = None
        queued[mailbox.fetch.key] = self
        try:
            self._waiting = guard.start(mailbox.fetch.avoid, 0, self)  # may call `put` at once
        except BaseException:
            queued.pop(mailbox.fetch.key, None)
            raise

    def put(self, completion: Completion) -> None:
        """Receive the permit, or the error in its place."""
        key = self._mailbox.fetch.key
        if self._queued.get(key) is self:
            del self._queued[key]
        if not isinstance(completion.result, Permit):
            self._mailbox.put(completion)
            return
        try:
            self._fetches.send(self._mailbox, completion.result)
        except Exception as error:  # noqa: BLE001 - this thread serves another request
            failed = self._fetches.failed(self._mailbox.fetch, error)
            self._mailbox.put(Completion(0, failed.result))

    def is_overdue(self, now: float) -> bool:
        """Whether its wait for a permit has timed out."""
        wait = self._mailbox.fetch.wait
        return wait is not None and now >= self._since + wait

    def fail(self) -> None:
        """Fail it, unless it got a permit just now."""
        if self._waiting and self._guard.withdraw(self._waiting):
            self.put(Completion(0, LimitReached(NO_SLOT)))


def _deliver(waiter: _Waiter, result: FetchResult, first: bool) -> None:  # noqa: FBT001 - a callback
    waiter.mailbox.put(Completion(waiter.attempt, replace(result, led=first)))


def _conditional(fetch: SharedFetch) -> Request:
    """The request of a fetch, with the condition by which it revalidates an entry."""
    condition = conditional_headers(fetch.entry) if fetch.entry else ()
    if not condition:
        return fetch.request
    return replace(fetch.request, headers=fetch.request.headers + condition)


def _is_not_modified(fetch: SharedFetch, result: Any) -> bool:
    """Whether a reply is the 304 to a condition that was sent."""
    is_304 = isinstance(result, Reply) and result.status == _NOT_MODIFIED
    return is_304 and fetch.entry is not None and bool(conditional_headers(fetch.entry))
