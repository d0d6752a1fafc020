"""One request of a call whose replies are cached.

A `CachedRequest` performs the steps of `cached_fetch` for one request. It sends a request of its
own (`CallRequest`) only for the step `Fetch`, and shares what that sends with all requests that
want the same reply (`SharedFetches`).
"""

from collections.abc import Collection
from dataclasses import replace
from functools import partial
from typing import Any, Final

from bff.cache.cache import Lookup
from bff.cache.cached_fetch import (
    UNUSABLE,
    Decode,
    Fetch,
    Fetched,
    Hit,
    Refresh,
    Steps,
    cached_fetch,
    flight_key,
    freshness_of,
    lookup_to_refresh,
    refresh,
)
from bff.cache.entry import CacheEntry
from bff.cache.key import CacheKey, cache_key
from bff.engine.attempts import OnResult, Owner, run_step
from bff.engine.background_refresh import refresh_request
from bff.engine.call_request import CallRequest
from bff.engine.outcomes import RunningCall
from bff.engine.run_context import CallListener, RunContext, read
from bff.engine.runtime import Caching
from bff.engine.shared_fetch import NO_SLOT, FetchResult, SharedFetch
from bff.engine.transient import may_be_stood_in_for
from bff.errors import BadStatus, BffError, LimitReached, TimedOut, Unfillable
from bff.model.exchange import Deadline, Headers, Reply, Request, Tried
from bff.plan.cache_rule import CachePolicy
from bff.plan.expression import Scope

_LOOKUP: Final = 0.3  # seconds for the shared store, before the service is called instead


def begin_request(
    policy: CachePolicy | None,
    context: RunContext,
    listener: CallListener,
    call: RunningCall,
    index: int,
    scope: Scope,
) -> None:
    """Begin one request of a call; it is answered from the cache if its replies are cached."""
    cached, caching = None, context.runtime.caching
    if caching and policy:
        try:
            cached = cached_request(caching, context, listener, call, index, policy, scope)
        except Exception as error:  # noqa: BLE001 - reported, and fails the request
            listener.ended(call, index, context.caught(error, call))
            return
    request = cached or CallRequest(context, listener, call, index)
    run_step(request, request.begin)


def cached_request(
    caching: Caching,
    context: RunContext,
    listener: CallListener,
    call: RunningCall,
    index: int,
    policy: CachePolicy,
    scope: Scope,
) -> "CachedRequest | None":
    """A request whose reply is cached; None where one of its tags has no value.

    Such a reply is not stored, as it could not be invalidated by its tags.
    """
    request, service = call.fan.units[index].request, call.node.compiled.service
    scopes = [call.fan.scopes[at] for at in call.fan.units[index].items] or [scope]
    try:
        tags = policy.tags_of(context.principal, scopes, "service", service.name)
    except Unfillable:
        return None
    users = policy.key_scope(context.principal, scope)
    secret = context.credentials.get(service.name, ())
    headers = _without(request.headers, () if isinstance(secret, BffError) else secret)
    own = (request.method, request.target, headers, request.body)
    key = cache_key(["reply", service.name, service.url, own, users], tags)
    steps = cached_fetch(caching.cache, key)
    return CachedRequest(caching, context, listener, call, index, policy, key, steps)


class CachedRequest:
    """One request of a call, and the steps by which it is answered.

    The steps refer to the cache and not to the request: a cycle of references would hold the values
    of each request until the garbage collector runs.
    """

    def __init__(
        self,
        caching: Caching,
        context: RunContext,
        listener: CallListener,
        call: RunningCall,
        index: int,
        policy: CachePolicy,
        key: CacheKey,
        steps: Steps,
    ) -> None:
        self._caching, self._context, self._listener = caching, context, listener
        self._call, self._index = call, index
        self._policy, self._key, self._steps = policy, key, steps
        self._compiled = call.node.compiled
        self._request = call.fan.units[index].request
        self._over = False

    def begin(self) -> None:
        """Perform the first steps."""
        self._resume(None)

    def _resume(self, result: Any) -> None:
        """Perform steps up to the end, or up to a step that completes later.

        Args:
            result: of the last step; None before the first.
        """
        while True:
            try:
                step = self._steps.send(result)
            except StopIteration as end:
                outcome: Hit | Fetched = end.value
                break
            result = None
            if isinstance(step, Decode):
                result = self._decode(step.entry)
            elif isinstance(step, Refresh):
                self._caching.background.run(self._key.digest, self._refresh)
            elif isinstance(step, Fetch):
                self._fetch(step.lookup)
                return
            else:
                ends = min(self._call.ends.at, self._context.runtime.clock.now() + _LOOKUP)
                self._context.attempts.obtain(step, Deadline(ends), self, self._on_lookup)
                return
        self._finish(outcome)

    def _on_lookup(self, result: Lookup | BffError) -> None:
        # without a reply of the shared store in time, the fetched reply is not stored
        self._resume(Lookup() if isinstance(result, BffError) else result)

    def _fetch(self, lookup: Lookup) -> None:
        """Fetch the reply, by a request of its own that shares what it sends."""
        join = partial(self._join, lookup)
        request = CallRequest(self._context, self, self._call, self._index, join)
        run_step(request, request.begin)

    def _join(
        self,
        lookup: Lookup,
        request: Request,
        why: Tried,
        avoid: Collection[str],
        owner: Owner,
        on_result: OnResult,
    ) -> int:
        """Send a request as a shared fetch; see `attempts.Join`."""
        compiled, fetches, attempts = self._compiled, self._caching.fetches, self._context.attempts
        service, retry = compiled.service, compiled.retry
        fetch = SharedFetch(
            request=request,
            key=flight_key(self._caching.cache, self._key, lookup),
            address=lookup.address,
            policy=self._policy,
            entry=lookup.entry,
            timeout=min(compiled.timeout, (retry.each if retry else None) or compiled.timeout),
            wait=service.wait,
            avoid=tuple(avoid),
            exchange=attempts.exchange,
            readable=self._readable,
            label=f"reply of {service.name}",
            why=why,
            deadline=service.deadline,
            latencies=self._context.runtime.guards[service.name].latencies(compiled.endpoint),
        )
        on_result = partial(self._on_fetched, fetch, on_result)
        number = attempts.begin(fetches, fetch, self._call.ends, owner, on_result)
        if service.wait is not None:  # a fetch has no timer of its own
            due = self._context.runtime.clock.now() + service.wait
            attempts.wake(due, owner, lambda _: fetches.fail_if_overdue(fetch))
        return number

    def _on_fetched(self, fetch: SharedFetch, on_result: OnResult, result: Any) -> None:
        if isinstance(result, TimedOut) and self._caching.fetches.is_queued(fetch):
            result = LimitReached(NO_SLOT)
        if isinstance(result, FetchResult) and result.entry is not None:
            now, collapsed = self._caching.cache.now(), not result.led
            freshness = freshness_of(result.entry, now, hit=False, collapsed=collapsed)
            self._call.freshness[self._index] = freshness
        on_result(result)

    def unauthorized(self, error: BffError) -> None:
        """The user has to sign in again."""
        self._listener.unauthorized(error)

    def ended(self, call: RunningCall, index: int, result: Any) -> None:
        """The request that was sent has a value or an error: go on with the steps."""
        del call, index
        replaceable = isinstance(result, BffError) and may_be_stood_in_for(result)
        try:
            self._resume(Fetched(result, result.reason if replaceable else None))
        except Exception as error:  # noqa: BLE001 - reported, and fails the request
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """End the request with an unexpected exception in one of its steps."""
        if self._over:
            raise error  # raised by what follows the end of this request
        self._end(self._context.caught(error, self._call))

    def lost(self) -> None:
        """Do nothing: a cancelled lookup has nothing to release."""

    def _finish(self, outcome: Hit | Fetched) -> None:
        if isinstance(outcome, Hit):
            self._call.freshness[self._index] = outcome.freshness
            if self._caching.on_hit and outcome.instead_of is None:
                self._caching.on_hit(self._request, outcome.entry)
        self._end(outcome.value)

    def _end(self, result: Any) -> None:
        self._over = True
        self._listener.ended(self._call, self._index, result)

    def _refresh(self) -> None:
        """On a background thread, with the same credentials: fetch the reply anew."""
        caching = self._caching
        lookup = lookup_to_refresh(caching.cache, self._key)
        if lookup is None:
            return

        def begin(context: RunContext, listener: CallListener, call: RunningCall) -> None:
            rest = (self._policy, self._key, refresh(lookup))
            CachedRequest(caching, context, listener, call, 0, *rest).begin()

        refresh_request(self._context, self._call.node, self._request, begin)

    def _decode(self, entry: CacheEntry) -> Any:
        """The value of an entry, decoded for this request alone; or the failure that it is.

        Returns:
            `UNUSABLE` where the call cannot read it, as after a change of the call's declaration.
        """
        try:
            self._context.budget.receive(len(entry.body))
            reply = Reply(entry.status, entry.headers, entry.body)
            return read(self._context, self._compiled, reply)
        except BadStatus as error:
            return error
        except BffError:
            return UNUSABLE

    def _readable(self, reply: Reply) -> bool:
        """Whether the call can read a reply; the failure that a status is counts as readable."""
        scratch = replace(self._context, replies={}, lease=self._context.lease.another())
        try:
            read(scratch, self._compiled, reply)
        except BadStatus:
            return True
        except BffError:
            return False
        return True


def _without(headers: Headers, secret: Headers) -> Headers:
    return tuple(header for header in headers if header not in secret)
