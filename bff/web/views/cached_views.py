"""Cached views: an answer from the cache, or one that concurrent requests share."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from bff.cache.cache import Lookup, RemoteLookup
from bff.cache.cached_fetch import (
    UNUSABLE,
    Decode,
    Fetched,
    Refresh,
    Step,
    cached_fetch,
    flight_key,
    freshness_of,
    lookup_to_refresh,
    perform,
)
from bff.cache.entry import CacheEntry
from bff.cache.key import CacheKey, cache_key
from bff.cache.policy import jittered
from bff.cache.single_flight import SingleFlight
from bff.engine.answer import Answer, Failure, ViewRequest
from bff.engine.runtime import Caching, Runtime
from bff.errors import Unfillable
from bff.model.exchange import Deadline, Freshness
from bff.model.json_text import Unwritable
from bff.observe.boundary import ErrorBoundary
from bff.plan.cache_rule import CachePolicy
from bff.plan.plan import Plan
from bff.upstream.exchange import NULL_MAILBOX, Completion, Mailbox
from bff.web.views.representation import Representation, from_entry, to_entry
from bff.web.views.response_body import CacheSlot, ViewResponses, may_be_stored

_LOOKUP: Final = 0.1  # seconds for the shared store, before the answer is made instead
_SLACK: Final = 1.0  # seconds by which an answer may be later than its view's time-out
_FIRST_SERVER_ERROR: Final = 500
_TOO_MANY_REQUESTS: Final = 429
UNWRITABLE: Final = Failure(
    502,
    detail="the answer cannot be written as JSON: it is nested too deeply, or not finite",
)
INTERNAL: Final = Failure(500)


@dataclass(frozen=True, slots=True)
class Served:
    """The result for a request: a representation or a failure.

    Args:
        representation: of the answer; None for a failure.
        answer: the conducted answer; None if it is from the cache.
        slot: where the representation is stored; None if it is not.
        freshness: how the cache was used; None if it was not.
    """

    representation: Representation | None
    answer: Answer | None = None
    failure: Failure | None = None
    slot: CacheSlot | None = None
    freshness: Freshness | None = None


# Makes the answer of a view, given the request and when it began, on the conductor's clock.
Conduct = Callable[[ViewRequest, float], Answer]


def conducted(
    responses: ViewResponses,
    conduct: Conduct,
    request: ViewRequest,
    begun: float,
    now: float,
    boundary: ErrorBoundary,
) -> Served:
    """Make an answer and its representation.

    If making the representation fails, the result still has the answer, for the log.

    Args:
        begun: when the request began, on the conductor's clock.
        now: seconds since 1970.
    """
    answer = conduct(request, begun)
    if answer.failure:
        return Served(None, answer, answer.failure)
    try:
        return Served(responses.represent(answer, request.scope["locale"], now), answer)
    except Unwritable:
        return Served(None, answer, UNWRITABLE)
    except Exception as error:  # noqa: BLE001 - reported, and answered 500
        boundary.caught(error, "answer", id_=request.id)
        return Served(None, answer, INTERNAL)


class CachedView:
    """The cached answers of one view at one frontend.

    Args:
        fingerprint: the fingerprint of the view's declaration; answers of another one are not used.
    """

    def __init__(
        self,
        plan: Plan,
        policy: CachePolicy,
        runtime: Runtime,
        caching: Caching,
        responses: ViewResponses,
        conduct: Conduct,
        fingerprint: str,
    ) -> None:
        self._plan, self._policy = plan, policy
        self._runtime, self._caching = runtime, caching
        self._cache, self._clock = caching.cache, runtime.clock
        self._responses, self._conduct, self._fingerprint = responses, conduct, fingerprint
        self._flights: SingleFlight[Mailbox] = SingleFlight(_deliver)
        self._timeout = plan.view.timeout

    def serve(self, request: ViewRequest, begun: float) -> Served:
        """Answer from the cache; else make the answer, or wait for a request that is making it.

        Args:
            request: without `gone`, as others may wait for the answer, which is also stored.
            begun: when the request began, on the conductor's clock.
        """
        try:
            key = self._key(request)
        except Unfillable:  # it could not be invalidated by its tags, so it is not stored
            return self._conducted(request, begun, self._cache.now())

        def do(step: Step) -> Any:
            if isinstance(step, Decode):
                return from_entry(step.entry) or UNUSABLE
            if isinstance(step, Refresh):
                return self._caching.background.run(
                    key.digest, partial(self._refresh, key, request)
                )
            if isinstance(step, RemoteLookup):
                return self._look_up(step)
            served = self._fetch(key, step.lookup, request, begun)
            return Fetched(served, _reason(served))

        outcome = perform(cached_fetch(self._cache, key), do)
        if isinstance(outcome, Fetched):
            fetched: Served = outcome.value
            return fetched
        failed: Served | None = outcome.instead_of.value if outcome.instead_of else None
        slot = CacheSlot(outcome.address, outcome.entry) if outcome.address else None
        answer = failed.answer if failed else None
        return Served(outcome.value, answer, slot=slot, freshness=outcome.freshness)

    def _conducted(self, request: ViewRequest, begun: float, now: float) -> Served:
        return conducted(
            self._responses, self._conduct, request, begun, now, self._runtime.boundary
        )

    def _key(self, request: ViewRequest) -> CacheKey:
        policy, scope = self._policy, request.scope
        tags = policy.tags_of(request.principal, [scope], "view", self._plan.view.name)
        users = policy.key_scope(request.principal, scope)
        headers = sorted(request.headers.items())
        starts = sorted(request.cursors.starts.items()) if request.cursors else ()
        own = (self._plan.frontend, scope["locale"], scope["params"], headers, starts)
        return cache_key(["page", self._fingerprint, own, users], tags)

    def _look_up(self, step: RemoteLookup) -> Lookup:
        """Look up an entry in the shared store; a lookup without result if that takes too long."""
        mailbox = self._clock.mailbox()
        deadline = Deadline(self._clock.now() + _LOOKUP)
        self._runtime.effects.start(step, deadline, 0, mailbox)
        completion = mailbox.get(_LOOKUP)
        found = completion.result if completion else None
        return found if isinstance(found, Lookup) else Lookup()

    def _fetch(self, key: CacheKey, lookup: Lookup, request: ViewRequest, begun: float) -> Served:
        """Make the answer once for all concurrent requests for it.

        1. The first request makes the answer, and the others wait for it.
        2. If that fails, a waiter joins or starts one more flight, once, so that one failure does
           not fail all waiters.
        3. A waiter that times out, or whose second flight failed with an exception, makes the
           answer for itself.
        """
        clock, flight = self._clock, flight_key(self._cache, key, lookup)
        for again in (False, True):
            now, mailbox = clock.now(), clock.mailbox()
            if self._flights.join(flight, mailbox, now, now + self._timeout + _SLACK):
                return self._lead(flight, lookup.address, request, begun)
            completion = mailbox.get(max(0.0, begun + self._timeout - clock.now()))
            if completion is None:
                self._flights.leave(flight, mailbox)
                break
            served: Served | None = completion.result
            if served is not None and (again or _reason(served) is None):
                freshness = served.freshness
                collapsed = replace(freshness, collapsed=True) if freshness else None
                return replace(served, freshness=collapsed)
        return self._conducted(request, begun, self._cache.now())

    def _lead(
        self, flight: Hashable, address: str | None, request: ViewRequest, begun: float
    ) -> Served:
        """Make and store the answer, then give it to all waiters."""
        served: Served | None = None
        try:
            served = self._stored_meanwhile(address) or self._made(address, request, begun)
        finally:  # also if making it raises, as others wait
            self._flights.complete(flight, served)
        return served

    def _stored_meanwhile(self, address: str | None) -> Served | None:
        """The answer of a flight that ended just before this one began."""
        entry = self._cache.get_fresh(address)
        made = from_entry(entry) if entry else None
        if entry is None or made is None or address is None:
            return None
        freshness = freshness_of(entry, self._cache.now())
        return Served(made, slot=CacheSlot(address, entry), freshness=freshness)

    def _made(self, address: str | None, request: ViewRequest, begun: float) -> Served:
        now = self._cache.now()
        served = self._conducted(request, begun, now)
        made, answer = served.representation, served.answer
        shared = self._policy.shared != "person"
        if (
            address is None
            or made is None
            or answer is None
            or not may_be_stored(made, answer, shared=shared)
        ):
            return replace(served, freshness=Freshness(hit=False))
        made, entry = self._entry(made, now)
        self._caching.fetches.store(address, entry)
        freshness = freshness_of(entry, self._cache.now(), hit=False)
        return Served(made, answer, slot=CacheSlot(address, entry), freshness=freshness)

    def _entry(self, made: Representation, now: float) -> tuple[Representation, CacheEntry]:
        """The entry of a representation, and the representation with the entry's lifetime."""
        rule = self._policy.rule
        fresh = jittered(rule.ttl or 0.0, self._cache.chance)
        made = made.until_at_most(now + fresh) if fresh else made
        times = (now, fresh, rule.stale, rule.stale_if_error)
        return made, to_entry(made, *times, self._responses.label)

    def _refresh(self, key: CacheKey, request: ViewRequest) -> None:
        """Make and store the answer again, for the same user, on a background thread."""
        lookup = lookup_to_refresh(self._cache, key)
        if lookup is None:
            return
        now, flight = self._clock.now(), flight_key(self._cache, key, lookup)
        if self._flights.join(flight, NULL_MAILBOX, now, now + self._timeout + _SLACK):
            self._lead(flight, lookup.address, request, now)


def _deliver(waiter: Mailbox, served: Served | None, _first: bool) -> None:  # noqa: FBT001 - a callback
    waiter.put(Completion(0, served))


def _reason(served: Served) -> str | None:
    """The reason of a failure that a stale answer may replace (RFC 5861, section 4); else None.

    That is a failure of a service. A 404 is not: it is the answer of the service.
    """
    failure, answer = served.failure, served.answer
    if failure is None or failure.status < _FIRST_SERVER_ERROR:
        return None
    outcome = answer.outcomes.get(failure.call) if answer else None
    status = outcome.status if outcome else None
    if status is None or status >= _FIRST_SERVER_ERROR or status == _TOO_MANY_REQUESTS:
        return failure.reason or "error"
    return None
