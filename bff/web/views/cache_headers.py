"""The caching headers of answers: Cache-Control, Vary, Cache-Status."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bff.cache.directives import directives_of, freshness_lifetime
from bff.cache.policy import may_be_shared
from bff.engine.answer import Answer
from bff.model.access import Access
from bff.model.exchange import Freshness, Outcome
from bff.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Cacheability:
    """Whether and how long an answer may be cached, by the strictest of its parts.

    Args:
        lifetime: seconds for which it is fresh; infinite where no part sets a bound.
        shareable: whether all parts may be answered to other users.
        storable: whether all parts may be stored.
    """

    lifetime: float
    shareable: bool
    storable: bool


def cacheability_of(plan: Plan, answer: Answer, now: float) -> Cacheability:
    """The cacheability of an answer, by its replies.

    Args:
        now: seconds since 1970.
    """
    lifetime, shareable, storable = math.inf, True, True
    for name, outcome in answer.outcomes.items():
        policy = plan.caching.calls.get(name)
        if outcome.freshness is not None:
            lifetime = min(lifetime, max(0.0, outcome.freshness.ttl))
        elif policy is not None and outcome.started is not None:
            lifetime = 0.0  # the reply could not be stored
        if policy is not None and policy.shared != "everyone":
            shareable = False
    for name, head in answer.replies.items():
        call = plan.nodes[name].compiled
        sent = {field.name for field in call.headers} | set(call.forward)
        for headers in head.headers:
            directives = directives_of(headers)
            storable = storable and "no-store" not in directives
            shareable = shareable and may_be_shared(directives, sent, headers)
            declared = plan.caching.calls.get(name)
            if declared is None or declared.rule.by_upstream:
                fresh = freshness_lifetime(directives, headers, now, shared=False)
                own = answer.outcomes.get(name)
                if declared is None and fresh is not None and own is not None:
                    lifetime = min(lifetime, fresh)
    return Cacheability(lifetime, shareable, storable)


def is_public(plan: Plan, access: Access) -> bool:
    """Whether the answer is proven to be the same for all users, and needs no sign-in."""
    rule = plan.view.cache
    return access == "public" and plan.caching.everyone and not (rule and rule.scope == "person")


def clients_may_store(plan: Plan) -> bool:
    """Whether clients may store an answer: if it has a cache rule, or all of its calls have one."""
    return plan.view.cache is not None or set(plan.caching.calls) == set(plan.nodes)


def is_partial(outcomes: Mapping[str, Outcome]) -> bool:
    """Whether a part of an answer has failed."""
    return any(outcome.kind in {"failed", "fallback"} for outcome in outcomes.values())


def is_stale(outcomes: Mapping[str, Outcome]) -> bool:
    """Whether a part of an answer is stale."""
    return any(outcome.kind == "stale" for outcome in outcomes.values())


def cache_control(*, public: bool, lifetime: float, stale: float, revocable: bool) -> str:
    """Cache-Control of a complete answer (RFC 9111, section 5.2.2).

    Args:
        public: whether it is the same for all users, and needs no sign-in.
        lifetime: seconds for which it is fresh.
        stale: seconds after those in which a shared cache may answer it while it revalidates it.
        revocable: whether it can be invalidated: then browsers must revalidate it each time, as an
            invalidation cannot reach them.
    """
    seconds = int(min(lifetime, 31_536_000))
    if not public:
        return "private, no-cache" if revocable or not seconds else f"private, max-age={seconds}"
    if not seconds:
        return "public, no-cache"
    own = f"max-age=0, s-maxage={seconds}" if revocable else f"max-age={seconds}"
    behind = f", stale-while-revalidate={int(stale)}" if stale >= 1 else ""
    return f"public, {own}{behind}"


def vary_of(plan: Plan, who: Sequence[str], *, locale: bool, coded: bool) -> str:
    """Vary: the request headers that the answer depends on (RFC 9110, section 12.5.5).

    Args:
        who: the headers that identify the user.
        locale: whether it has a language.
        coded: whether it may be compressed.
    """
    names = [*who, *["Accept-Language"] * locale, *["Accept-Encoding"] * coded]
    names += ["-".join(part.capitalize() for part in name.split("-")) for name in plan.forward]
    return ", ".join(dict.fromkeys(names))


def cache_status(freshness: Freshness | None, *, stored: bool, name: str = "bff") -> str:
    """One cache's part of Cache-Status (RFC 9211).

    Args:
        freshness: how the cache was used; None if it was not.
        stored: whether the response is stored now.
        name: of the cache.
    """
    if freshness is None:
        return f"{name}; fwd=bypass"
    if freshness.hit:
        detail = f"; detail={freshness.reason}" if freshness.reason else ""
        return f"{name}; hit; ttl={math.floor(freshness.ttl)}{detail}"
    return f"{name}; fwd=miss" + "; stored" * stored + "; collapsed" * freshness.collapsed


def calls_status(plan: Plan, outcomes: Mapping[str, Outcome]) -> list[str]:
    """Cache-Status of each call whose replies are cached; for development."""
    return [
        cache_status(
            outcomes[name].freshness,
            stored=outcomes[name].freshness is not None,
            name=f'"bff/{name}"',
        )
        for name in plan.caching.calls
        if name in outcomes
    ]
