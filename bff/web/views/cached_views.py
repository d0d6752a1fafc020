"""From what was asked to a page: conducted, or kept; of several who want the same, once for all."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from bff.cache.cache import Look, Near, Write
from bff.cache.entry import Entry
from bff.cache.key import Wanted, wanted
from bff.cache.policy import jittered, judge, stands_in
from bff.cache.single_flight import SingleFlight
from bff.engine.answer import Answer, Failure, ViewRequest
from bff.engine.runtime import Caching, Runtime
from bff.errors import Unfillable
from bff.model.exchange import Deadline, Freshness
from bff.model.json_text import Unwritable
from bff.observe.boundary import ErrorBoundary
from bff.plan.cache_rule import Kept
from bff.plan.plan import Plan
from bff.upstream.exchange import DROPPED, Completion, Mailbox
from bff.web.views.response_body import Pages

_LOOK: Final = 0.1  # seconds that the shared level may take before the view is conducted instead
_SLACK: Final = 1.0
_FIRST_SERVER_ERROR: Final = 500
_TOO_MANY_REQUESTS: Final = 429
UNWRITABLE: Final = Failure(
    502, detail="the answer is no JSON: it is nested too deeply, or not finite"
)
INTERNAL: Final = Failure(500)


@dataclass(frozen=True, slots=True)
class Served:
    """What a request is answered with.

    Args:
        page: the answer; None where there is only a failure.
        answer: what was conducted for it; None where all of it was kept.
        address: where the page is kept.
        told: what the cache had to do with it; None where it was passed by.
    """

    page: Entry | None
    answer: Answer | None = None
    failure: Failure | None = None
    address: str | None = None
    told: Freshness | None = None


# Conducts a view, given what is asked and when the request began, on the conductor's clock.
Conduct = Callable[[ViewRequest, float], Answer]


def conducted(
    pages: Pages,
    conduct: Conduct,
    asked: ViewRequest,
    begun: float,
    now: float,
    boundary: ErrorBoundary,
) -> Served:
    """Conduct, and make the page; calls that were made are known even where that raises."""
    answer = conduct(asked, begun)
    if answer.failure:
        return Served(None, answer, answer.failure)
    try:
        return Served(pages.page(answer, asked.scope["locale"], now), answer)
    except Unwritable:
        return Served(None, answer, UNWRITABLE)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        boundary.caught(error, "answer", id_=asked.id)
        return Served(None, answer, INTERNAL)


class KeptPages:
    """The kept pages of one view of one frontend.

    Args:
        print_: tells this declaration of the view from any other.
    """

    def __init__(
        self,
        plan: Plan,
        kept: Kept,
        runtime: Runtime,
        caching: Caching,
        pages: Pages,
        conduct: Conduct,
        print_: str,
    ) -> None:
        self._plan, self._kept = plan, kept
        self._runtime, self._caching = runtime, caching
        self._pages, self._conduct, self._print = pages, conduct, print_
        self._flights: SingleFlight[Mailbox] = SingleFlight(_deliver)
        self._timeout = plan.view.timeout

    def serve(self, asked: ViewRequest, begun: float) -> Served:
        """Answer from what is kept, or have it made, by this request or by one under way.

        Args:
            asked: without `gone`: others may wait for it, and it is kept in any case.
        """
        cache = self._caching.cache
        try:
            want = self._wanted(asked)
        except Unfillable:  # what could not be invalidated by its tags is not kept
            return self._conducted(asked, begun)
        near = cache.near(want)
        verdict = self._verdict(near.entry)
        if near.ask and verdict not in {"fresh", "stale"}:
            near = self._look(want)
            verdict = self._verdict(near.entry)
        if near.entry is None or verdict not in {"fresh", "stale"}:
            cache.count("miss")
            return self._stood_in_for(self._load(want, near, asked, begun), near)
        cache.count(verdict)
        if verdict == "stale":
            self._caching.background.run(want.digest, partial(self._refresh, want, asked))
        return Served(near.entry, address=near.address, told=self._told(near.entry, hit=True))

    def _conducted(self, asked: ViewRequest, begun: float) -> Served:
        now = self._caching.cache.now()
        return conducted(self._pages, self._conduct, asked, begun, now, self._runtime.boundary)

    def _wanted(self, asked: ViewRequest) -> Wanted:
        kept, scope = self._kept, asked.scope
        view = self._plan.view.name
        tags = kept.tags_of(asked.principal, [scope], "view", view)
        owner = kept.owner(asked.principal, scope)
        headers = sorted(asked.headers.items())
        starts = sorted(asked.cursors.starts.items()) if asked.cursors else ()
        own = (self._plan.frontend, scope["locale"], scope["params"], headers, starts)
        return wanted(["page", self._print, own, owner], tags)

    def _look(self, want: Wanted) -> Near:
        """Ask the shared level, no longer than a moment."""
        clock = self._runtime.clock
        mailbox = clock.mailbox()
        self._runtime.effects.start(Look(want), Deadline(clock.now() + _LOOK), 0, mailbox)
        completion = mailbox.get(_LOOK)
        found = completion.result if completion else None
        return found if isinstance(found, Near) else Near()

    def _load(self, want: Wanted, near: Near, asked: ViewRequest, begun: float) -> Served:
        """Have the page made once for all who want it now.

        Who only joined one that failed joins, or makes, one more: a crowd does not fail with the
        one that happened to be first.
        """
        clock, cache = self._runtime.clock, self._caching.cache
        key = near.address or (want.digest, cache.changes)
        for again in (False, True):
            now, mailbox = clock.now(), clock.mailbox()
            if self._flights.join(key, mailbox, now, now + self._timeout + _SLACK):
                return self._lead(key, near.address, asked, begun)
            completion = mailbox.get(max(0.0, begun + self._timeout - clock.now()))
            if completion is None:
                self._flights.leave(key, mailbox)
                break
            served: Served | None = completion.result
            if served is not None and (again or not _failed(served)):
                told = replace(served.told, collapsed=True) if served.told else None
                return replace(served, told=told)
        return self._conducted(asked, begun)

    def _lead(self, key: Hashable, address: str | None, asked: ViewRequest, begun: float) -> Served:
        """Make the page, keep it, then let those who wait have it."""
        served: Served | None = None
        try:
            served = self._kept_meanwhile(address) or self._made(address, asked, begun)
        finally:  # whatever making it may raise, others wait
            self._flights.land(key, served)
        return served

    def _made(self, address: str | None, asked: ViewRequest, begun: float) -> Served:
        cache, kept, rule = self._caching.cache, self._kept, self._kept.rule
        served = self._conducted(asked, begun)
        page, answer = served.page, served.answer
        shared = kept.shared != "person"
        if page is None or answer is None:
            return replace(served, told=Freshness(hit=False))
        if address is None or not self._pages.may_be_kept(page, answer, shared=shared):
            return replace(served, told=Freshness(hit=False))
        fresh = jittered(rule.ttl or 0.0, cache.chance)
        page = replace(page, fresh=fresh, stale=rule.stale, error=rule.stale_if_error)
        cache.keep(address, page)
        if cache.shared:
            deadline = Deadline(self._runtime.clock.now() + _SLACK)
            self._runtime.effects.start(Write(address, page), deadline, 0, DROPPED)
        return Served(page, answer, address=address, told=self._told(page, hit=False))

    def _kept_meanwhile(self, address: str | None) -> Served | None:
        """What one that ended just before this one began has left."""
        page = self._caching.cache.recall(address) if address else None
        if page is None or self._verdict(page) != "fresh":
            return None
        return Served(page, address=address, told=self._told(page, hit=True))

    def _stood_in_for(self, served: Served, near: Near) -> Served:
        """What is kept, in the place of a failure (RFC 5861, section 4)."""
        page, cache = near.entry, self._caching.cache
        if page is None or not _failed(served) or not stands_in(page, cache.now()):
            return served
        cache.count("error")
        told = self._told(page, hit=True)
        reason = (served.failure.reason if served.failure else "") or "error"
        told = replace(told, reason=reason)
        return Served(page, served.answer, address=near.address, told=told)

    def _refresh(self, want: Wanted, asked: ViewRequest) -> None:
        """In the background, for the same person: make it anew, unless another process has."""
        cache, clock = self._caching.cache, self._runtime.clock
        near = cache.near(want)
        if near.ask:
            near = cache.look(Look(want))
        if near.address is None or self._verdict(near.entry) == "fresh":
            return
        now = clock.now()
        if self._flights.join(near.address, DROPPED, now, now + self._timeout + _SLACK):
            self._lead(near.address, near.address, asked, now)

    def _verdict(self, page: Entry | None) -> str:
        return judge(page, self._caching.cache.now()) if page else "expired"

    def _told(self, page: Entry, *, hit: bool) -> Freshness:
        age = max(0.0, self._caching.cache.now() - page.stored)
        return Freshness(hit, page.fresh - age, age)


def _deliver(waiter: Mailbox, served: Served | None, _first: bool) -> None:  # noqa: FBT001 - a callback
    waiter.put(Completion(0, served))


def _failed(served: Served) -> bool:
    """Whether there is no answer because a service is not well; its 404 would be an answer."""
    failure, answer = served.failure, served.answer
    if failure is None or failure.status < _FIRST_SERVER_ERROR:
        return False
    outcome = answer.outcomes.get(failure.call) if answer else None
    status = outcome.status if outcome else None
    return status is None or status >= _FIRST_SERVER_ERROR or status == _TOO_MANY_REQUESTS
