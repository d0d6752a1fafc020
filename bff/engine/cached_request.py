"""One request of a call whose replies are kept: looked up, loaded by one for all, or stood in for.

A `KeptRequest` stands around the `CallRequest` of a request. It begins one only where nothing good
enough is kept, has what it sends shared by all who want the same, and puts what is kept in the
place of a failure.
"""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bff.cache.cache import Look, Near
from bff.cache.entry import Entry
from bff.cache.key import Wanted, wanted
from bff.cache.policy import judge, stands_in
from bff.engine.attempts import Owner, Then, follow
from bff.engine.background_refresh import pursue_unattended
from bff.engine.call_request import CallRequest
from bff.engine.outcomes import RunningCall
from bff.engine.run_context import CallListener, RunContext, read
from bff.engine.runtime import Caching
from bff.engine.shared_fetch import Landed, Load
from bff.engine.transient import may_be_stood_in_for
from bff.errors import BadStatus, BffError, LimitReached, TimedOut, Unfillable
from bff.model.exchange import Deadline, Freshness, Headers, Reply, Request, Tried
from bff.plan.cache_rule import Kept
from bff.plan.expression import Scope

_LOOK: Final = 0.3  # seconds that the shared level may take before the service is asked instead


def begin_request(
    kept: Kept | None,
    context: RunContext,
    listener: CallListener,
    call: RunningCall,
    index: int,
    scope: Scope,
) -> None:
    """Pursue one request of a call, or have what is kept of it looked up first."""
    request = None
    caching = context.runtime.caching
    if caching and kept:
        try:
            request = kept_request(caching, context, listener, call, index, kept, scope)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            listener.ended(call, index, context.caught(error, call))
            return
    pursued = request or CallRequest(context, listener, call, index)
    follow(pursued, pursued.begin)


def kept_request(
    caching: Caching,
    context: RunContext,
    listener: CallListener,
    call: RunningCall,
    index: int,
    kept: Kept,
    scope: Scope,
) -> "KeptRequest | None":
    """A request of which something may be kept; None where a tag of it has no value.

    What could not be invalidated by its tags is not kept.
    """
    request, service = call.fan.units[index].request, call.node.compiled.service
    scopes = [call.fan.scopes[at] for at in call.fan.units[index].items] or [scope]
    try:
        tags = kept.tags_of(context.principal, scopes, "service", service.name)
    except Unfillable:
        return None
    owner = kept.owner(context.principal, scope)
    secret = context.credentials.get(service.name, ())
    headers = _without(request.headers, () if isinstance(secret, BffError) else secret)
    asked = (request.method, request.target, headers, request.body)
    want = wanted(["reply", service.name, service.url, asked, owner], tags)
    return KeptRequest(caching, context, listener, call, index, kept, want)


class KeptRequest:
    """One request of a call, and what is kept of it."""

    def __init__(
        self,
        caching: Caching,
        context: RunContext,
        listener: CallListener,
        call: RunningCall,
        index: int,
        kept: Kept,
        want: Wanted,
    ) -> None:
        self._caching, self._context, self._listener = caching, context, listener
        self._call, self._index = call, index
        self._kept, self._wanted = kept, want
        self._compiled = call.node.compiled
        self._request = call.fan.units[index].request
        self._near = Near()
        self._over = False

    def begin(self) -> None:
        """Answer from what is kept, or have it loaded."""
        near = self._caching.cache.near(self._wanted)
        if near.ask and self._verdict(near.entry) not in {"fresh", "stale"}:
            ends = min(self._call.ends.at, self._context.runtime.clock.now() + _LOOK)
            self._context.attempts.obtain(Look(self._wanted), Deadline(ends), self, self._looked)
        else:
            self._found(near)

    def load(self, near: Near) -> None:
        """Have it loaded, by a pursuit of its own or by one that is under way."""
        self._near = near
        pursuit = CallRequest(self._context, self, self._call, self._index, self._join)
        follow(pursuit, pursuit.begin)

    def _join(
        self, request: Request, why: Tried, avoid: Collection[str], owner: Owner, then: Then
    ) -> int:
        """Send a request for all who want what it brings."""
        compiled, loads, attempts = self._compiled, self._caching.loads, self._context.attempts
        service, retry = compiled.service, compiled.retry
        address = self._near.address
        load = Load(
            request=request,
            # without an address an invalidation must still part those before it from those after
            key=address or (self._wanted.digest, self._caching.cache.changes),
            address=address,
            kept=self._kept,
            entry=self._near.entry,
            lasts=min(compiled.timeout, (retry.each if retry else None) or compiled.timeout),
            wait=service.wait,
            avoid=tuple(avoid),
            exchange=self._context.attempts.exchange,
            readable=self._readable,
            label=f"reply of {service.name}",
            why=why,
            deadline=service.deadline,
            latencies=self._context.runtime.guards[service.name].latencies(compiled.endpoint),
        )
        then = partial(self._landed, load, then)
        number = attempts.begin(loads, load, self._call.ends, owner, then)
        if service.wait is not None:  # a load has no timers of its own; it stands in line by now
            due = self._context.runtime.clock.now() + service.wait
            attempts.wake(due, owner, lambda _: loads.hurry(load))
        return number

    def _looked(self, result: Near | BffError) -> None:
        # where the shared level did not answer in time, what is loaded is not kept
        self._found(Near() if isinstance(result, BffError) else result)

    def _found(self, near: Near) -> None:
        verdict, entry, cache = self._verdict(near.entry), near.entry, self._caching.cache
        if entry is None or verdict not in {"fresh", "stale"}:
            cache.count("miss")
            self.load(near)
            return
        value = self._value(entry)
        if isinstance(value, BffError) and not isinstance(value, BadStatus):
            self.load(near)  # it is not, or no longer, what the call takes for a good reply
            return
        cache.count(verdict)
        self._tell(entry, hit=True)
        if self._caching.on_hit:
            self._caching.on_hit(self._request, entry)
        if verdict == "stale":
            self._caching.background.run(self._wanted.digest, self._refresh)
        self._end(value)

    def _landed(self, load: Load, then: Then, landed: Any) -> None:
        if isinstance(landed, TimedOut) and self._caching.loads.is_in_line(load):
            landed = LimitReached("no place in time")
        if isinstance(landed, Landed) and landed.entry is not None:
            self._tell(landed.entry, hit=False, collapsed=not landed.led)
        then(landed)

    def unauthorized(self, error: BffError) -> None:
        """Whoever asks has to sign in again."""
        self._listener.unauthorized(error)

    def ended(self, call: RunningCall, index: int, result: Any) -> None:
        """The pursuit is over; what is kept may stand in for its failure."""
        del index
        try:
            result = self._stood_in_for(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            result = self._context.caught(error, call)
        self._end(result)

    def failed(self, error: Exception) -> None:
        """What followed a look-up raised what no code expects."""
        if self._over:
            raise error  # it is of what follows the end
        self._end(self._context.caught(error, self._call))

    def lost(self) -> None:
        """Nobody waits for it any more: it holds nothing."""

    def _end(self, result: Any) -> None:
        self._over = True
        self._listener.ended(self._call, self._index, result)

    def _stood_in_for(self, result: Any) -> Any:
        """What is kept, in the place of a failure."""
        entry = self._near.entry
        if (
            entry is None
            or not isinstance(result, BffError)
            or not may_be_stood_in_for(result)
            or not stands_in(entry, self._caching.cache.now())
        ):
            return result
        value = self._value(entry)
        if isinstance(value, BffError):
            return result
        self._caching.cache.count("error")
        self._tell(entry, hit=True, reason=result.reason)
        return value

    def _refresh(self) -> None:
        """In the background: look, and load anew what no other process has; for this person."""
        caching = self._caching
        near = caching.cache.near(self._wanted)
        if near.ask:
            near = caching.cache.look(Look(self._wanted))
        if self._verdict(near.entry) == "fresh":
            return

        def begin(context: RunContext, listener: CallListener, call: RunningCall) -> None:
            KeptRequest(caching, context, listener, call, 0, self._kept, self._wanted).load(near)

        pursue_unattended(self._context, self._call.node, self._request, begin)

    def _verdict(self, entry: Entry | None) -> str:
        return judge(entry, self._caching.cache.now()) if entry else "expired"

    def _value(self, entry: Entry) -> Any:
        """A copy of its own of what is kept, or why it has none."""
        try:
            self._context.budget.receive(len(entry.body))
            return read(self._context, self._compiled, _reply(entry))
        except BffError as error:
            return error

    def _readable(self, reply: Reply) -> bool:
        apart = replace(self._context, replies={}, lease=self._context.lease.another())
        try:
            read(apart, self._compiled, reply)
        except BadStatus:
            return True  # it is kept as the failure that it is
        except BffError:
            return False
        return True

    def _tell(self, entry: Entry, *, hit: bool, collapsed: bool = False, reason: str = "") -> None:
        age = max(0.0, self._caching.cache.now() - entry.stored)
        told = Freshness(hit, entry.fresh - age, age, collapsed, reason)
        self._call.kept[self._index] = told


def _reply(entry: Entry) -> Reply:
    return Reply(entry.status, entry.headers, entry.body)


def _without(headers: Headers, secret: Headers) -> Headers:
    return tuple(each for each in headers if each not in secret)
