"""Loads: requests whose replies are kept, each under way once, owned by nobody.

A load has its call's own full time-out, whoever waits for it and for how long. When it ends, its
reply is kept first; only then its key and those who waited are taken away, so that whoever comes
later finds it kept. A waiter that runs out of time leaves, and disturbs nobody.
"""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from bff.cache.cache import Cache, Write
from bff.cache.entry import Entry
from bff.cache.policy import age_of, conditional, confirmed, confirms, judge, lifetime
from bff.cache.single_flight import SingleFlight
from bff.errors import Cancelled, LimitReached, UpstreamError
from bff.model.exchange import Deadline, Reply, Request, Tried
from bff.observe.boundary import ErrorBoundary
from bff.plan.cache_rule import Kept
from bff.upstream.exchange import DROPPED, Clock, Completion, Effects, Exchange, Mailbox
from bff.upstream.guard import Guard, Guards, Waiting
from bff.upstream.hedge import Latencies
from bff.upstream.permit import Permit

_SLACK: Final = 0.5  # seconds that an exchange may be late with what has timed out
_NOT_MODIFIED: Final = 304
# of one connection (RFC 9110, section 7.6.1), or of one person: not kept with the rest
_NOT_KEPT: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "set-cookie", "set-cookie2", "content-encoding"),
        *("content-length", "age"),
    }
)


@dataclass(frozen=True, slots=True)
class Load:
    """A request whose reply is to be kept.

    Args:
        key: who has the same wants the same.
        address: where; None where it cannot be kept just now.
        entry: what is there, to be asked about.
        lasts: seconds that it may take.
        wait: seconds of them that it may stand in line for a place; None for all of them.
        avoid: addresses that are asked only if there is no other.
        deadline: the header that says so to the service.
        latencies: where how long it takes is remembered.
        exchange: what carries it: that of the request for which it is begun.
        readable: whether a reply is what the call takes for a good one.
        label: what it is of, for operators.
        why: it is sent, and how often it was sent before.
    """

    request: Request
    key: Hashable
    address: str | None
    kept: Kept
    entry: Entry | None
    lasts: float
    exchange: Exchange
    readable: Callable[[Reply], bool]
    label: str
    why: Tried
    wait: float | None = None
    avoid: Collection[str] = ()
    deadline: str | None = None
    latencies: Latencies | None = None


@dataclass(frozen=True, slots=True)
class Landed:
    """How a load ended for one of those who waited.

    Args:
        led: whether this is the one for whom it was started.
        entry: what was kept of it.
        url: the address that was asked.
    """

    result: Any
    led: bool
    entry: Entry | None = None
    url: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    attempt: int
    mailbox: Mailbox


class Loads:
    """Starts loads, and lets others wait for those that are under way."""

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
        self._lines: dict[Hashable, _Line] = {}

    def start(
        self, load: Load, deadline: Deadline, attempt: int, mailbox: Mailbox
    ) -> tuple[Hashable, _Waiter]:
        """Wait for a load; the first who does starts it.

        Args:
            deadline: the waiter's own, which the load does not have.
        """
        del deadline
        key, now = load.key, self._clock.now()
        ends = now + load.lasts
        waiter = _Waiter(attempt, mailbox)
        begin = partial(self._begin, load, Deadline(ends), now)
        failed = partial(self.failed, load)
        self._flights.start(key, waiter, begin, failed, now, ends + _SLACK)
        return key, waiter

    def failed(self, load: Load, error: Exception) -> "Landed":
        """How a load ends of which something raised what no code expects."""
        return Landed(self._boundary.reported(error, "load", load.request.origin), led=False)

    def _begin(self, load: Load, ends: Deadline, now: float) -> None:
        entry = self._kept_meanwhile(load)
        if entry:
            self.land(load.key, Reply(entry.status, entry.headers, entry.body), entry)
        else:
            self._admit(_Landing(self, load, ends), now)

    def cancel(self, ticket: tuple[Hashable, _Waiter]) -> None:
        """Wait no longer; the load goes on."""
        self._flights.leave(*ticket)

    def keep(self, load: Load, result: Any) -> tuple[Any, Entry | None]:
        """Keep a reply, if it may be; the reply, or the kept one that it confirms."""
        if not isinstance(result, Reply):
            return result, None
        if load.entry and _is_conditional(load, result):
            result = confirmed(load.entry, result)
        cache, kept = self._cache, load.kept
        now = cache.now()
        life = lifetime(kept.rule, load.request, result, kept.shared, now, cache.chance)
        if life is None or load.address is None or not load.readable(result):
            return result, None
        headers = tuple(each for each in result.headers if each[0] not in _NOT_KEPT)
        made = now - age_of(result) if kept.rule.by_upstream else now
        times = (life.fresh, life.stale, life.error, life.keep)
        entry = Entry(result.status, headers, result.body, made, *times, load.label)
        cache.keep(load.address, entry)
        if cache.shared:
            write = Write(load.address, entry)
            self._effects.start(write, Deadline(self._clock.now() + 1), 0, DROPPED)
        return result, entry

    def ask_anew(self, load: Load, ends: Deadline) -> None:
        """Send a load's request without a condition: the 304 was about another version."""
        self._admit(_Landing(self, replace(load, entry=None), ends), self._clock.now())

    def land(self, key: Hashable, result: Any, entry: Entry | None, url: str = "") -> None:
        """Tell all who wait."""
        self._flights.land(key, Landed(result, led=False, entry=entry, url=url))

    def send(self, landing: "_Landing", permit: Permit) -> None:
        """Send what a place was had for, unless it is too late for that."""
        load = landing.load
        if not landing.ends.left(self._clock.now()):
            permit.settle(Cancelled("it came too late"))
            landing.put(Completion(0, LimitReached("no place in time")))
            return
        landing.url = permit.url
        permit.latencies = load.latencies
        request = replace(_asking(load), url=permit.url)
        if load.deadline:
            left = str(int(landing.ends.left(self._clock.now()) * 1000))
            request = replace(request, headers=(*request.headers, (load.deadline, left)))
        request = permit.sends(request, *load.why)
        permit.start(load.exchange, request, landing.ends, 0, landing)

    def is_in_line(self, load: Load) -> bool:
        """Whether it still waits for a place."""
        return load.key in self._lines

    def hurry(self, load: Load) -> None:
        """Have a load that has stood in line for as long as it may fail, for all who wait."""
        line = self._lines.get(load.key)
        if line and line.is_over(self._clock.now()):
            line.leave()

    def _admit(self, landing: "_Landing", now: float) -> None:
        """Have a place of the service, at once or in line: one for all who wait."""
        load = landing.load
        guard = self._guards[load.request.service]
        try:
            permit = guard.admit(load.avoid)
        except UpstreamError as error:
            landing.put(Completion(0, error))
            return
        if permit:
            self.send(landing, permit)
        else:
            _Line(self._lines, self, guard, landing, now)

    def _kept_meanwhile(self, load: Load) -> Entry | None:
        """What a load that ended just before this one began has left."""
        entry = self._cache.recall(load.address) if load.address else None
        if entry is not None and judge(entry, self._cache.now()) == "fresh":
            return entry
        return None


class _Landing:
    """Where a load ends: what comes in is kept, and passed on to all who wait."""

    def __init__(self, loads: Loads, load: Load, ends: Deadline) -> None:
        self._loads = loads
        self.load, self.ends, self.url = load, ends, ""

    def put(self, completion: Completion) -> None:
        """Land, unless the reply says only that another version than the kept one holds."""
        result, entry, load = completion.result, None, self.load
        if load.entry and _is_conditional(load, result) and not confirms(load.entry, result):
            self._loads.ask_anew(load, self.ends)
            return
        try:
            result, entry = self._loads.keep(self.load, result)
        except Exception as error:  # noqa: BLE001 - whatever keeping it may raise, others wait
            result = self._loads.failed(self.load, error).result
        self._loads.land(self.load.key, result, entry, self.url)


class _Line:
    """Where a load stands in line for a place."""

    def __init__(
        self,
        lines: dict[Hashable, "_Line"],
        loads: Loads,
        guard: Guard,
        landing: _Landing,
        since: float,
    ) -> None:
        self._lines, self._loads, self._guard, self._landing = lines, loads, guard, landing
        self._since = since
        self._waiting: Waiting | None = None
        lines[landing.load.key] = self
        try:
            self._waiting = guard.start(landing.load.avoid, 0, self)  # may put at once
        except BaseException:
            lines.pop(landing.load.key, None)
            raise

    def put(self, completion: Completion) -> None:
        """Its turn has come, or it never will."""
        key = self._landing.load.key
        if self._lines.get(key) is self:
            del self._lines[key]
        if not isinstance(completion.result, Permit):
            self._landing.put(completion)
            return
        try:
            self._loads.send(self._landing, completion.result)
        except Exception as error:  # noqa: BLE001 - this thread is of whoever gave the place back
            failed = self._loads.failed(self._landing.load, error)
            self._landing.put(Completion(0, failed.result))

    def is_over(self, now: float) -> bool:
        """Whether it has lasted as long as it may."""
        wait = self._landing.load.wait
        return wait is not None and now >= self._since + wait

    def leave(self) -> None:
        """Wait no more, unless a place has come just now."""
        if self._waiting and self._guard.withdraw(self._waiting):
            self.put(Completion(0, LimitReached("no place in time")))


def _deliver(waiter: _Waiter, landed: Landed, first: bool) -> None:  # noqa: FBT001 - a callback
    waiter.mailbox.put(Completion(waiter.attempt, replace(landed, led=first)))


def _asking(load: Load) -> Request:
    """The request, or the question whether what is kept still holds."""
    asked = conditional(load.entry) if load.entry else ()
    return replace(load.request, headers=load.request.headers + asked) if asked else load.request


def _is_conditional(load: Load, result: Any) -> bool:
    """Whether a reply is the 304 to a condition that was sent."""
    is_304 = isinstance(result, Reply) and result.status == _NOT_MODIFIED
    return is_304 and load.entry is not None and bool(conditional(load.entry))
