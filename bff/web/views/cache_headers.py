"""What an answer says about being kept: Cache-Control, Vary, Cache-Status."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bff.cache.directives import directives_of, freshness_of
from bff.cache.policy import may_be_shared
from bff.engine.answer import Answer
from bff.model.access import Access
from bff.model.exchange import Freshness, Outcome
from bff.plan.plan import Plan


@dataclass(frozen=True, slots=True)
class Parts:
    """What the parts of an answer allow together: the strictest of them.

    Args:
        lifetime: seconds that clients may keep it; infinite where no part sets a bound.
        shareable: whether none is for one person only.
        storable: whether all may be kept at all.
    """

    lifetime: float
    shareable: bool
    storable: bool


def parts_of(plan: Plan, answer: Answer, now: float) -> Parts:
    """What the replies behind an answer allow.

    Args:
        now: seconds since 1970.
    """
    lifetime, shareable, storable = math.inf, True, True
    for name, outcome in answer.outcomes.items():
        kept = plan.caching.calls.get(name)
        if outcome.freshness is not None:
            lifetime = min(lifetime, max(0.0, outcome.freshness.ttl))
        elif kept is not None and outcome.started is not None:
            lifetime = 0.0  # it was not to be kept after all
        if kept is not None and kept.shared != "everyone":
            shareable = False
    for name, replied in answer.replies.items():
        call = plan.nodes[name].compiled
        sent = {field.name for field in call.headers} | set(call.forward)
        for headers in replied.said:
            said = directives_of(headers)
            storable = storable and "no-store" not in said
            shareable = shareable and may_be_shared(said, sent, headers)
            declared = plan.caching.calls.get(name)
            if declared is None or declared.rule.by_upstream:
                fresh = freshness_of(said, headers, now, shared=False)
                own = answer.outcomes.get(name)
                if declared is None and fresh is not None and own is not None:
                    lifetime = min(lifetime, fresh)
    return Parts(lifetime, shareable, storable)


def is_public(plan: Plan, access: Access) -> bool:
    """Whether everybody gets the same answer, and nobody is asked who they are: as proven."""
    rule = plan.view.cache
    return access == "public" and plan.caching.everyone and not (rule and rule.scope == "person")


def may_last(plan: Plan) -> bool:
    """Whether an answer may be kept by clients: by a rule of its own, or as all its calls are."""
    return plan.view.cache is not None or set(plan.caching.calls) == set(plan.nodes)


def is_partial(outcomes: Mapping[str, Outcome]) -> bool:
    """Whether something of an answer is not what was asked for."""
    return any(each.kind in {"failed", "fallback"} for each in outcomes.values())


def is_stale(outcomes: Mapping[str, Outcome]) -> bool:
    """Whether something of an answer is kept past its time."""
    return any(each.kind == "stale" for each in outcomes.values())


def cache_control(*, public: bool, lifetime: float, stale: float, revocable: bool) -> str:
    """Cache-Control of a whole answer.

    Args:
        public: whether everybody gets the same, and nobody is asked who they are.
        lifetime: seconds for which it may be kept.
        stale: seconds after that in which a shared cache may answer it while it asks again.
        revocable: whether it can be invalidated here: then no browser keeps it without asking,
            as nothing can be taken back from there.
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
    """Vary: the request headers that another answer may depend on (RFC 9110, section 12.5.5).

    Args:
        who: those by which who asks is known.
    """
    names = [*who, *["Accept-Language"] * locale, *["Accept-Encoding"] * coded]
    names += ["-".join(part.capitalize() for part in name.split("-")) for name in plan.forward]
    return ", ".join(dict.fromkeys(names))


def cache_status(told: Freshness | None, *, stored: bool, name: str = "bff") -> str:
    """One cache's part of Cache-Status (RFC 9211).

    Args:
        told: what the cache had to do with it; None where it was passed by.
        stored: whether what was loaded is kept now.
    """
    if told is None:
        return f"{name}; fwd=bypass"
    if told.hit:
        detail = f"; detail={told.reason}" if told.reason else ""
        return f"{name}; hit; ttl={math.floor(told.ttl)}{detail}"
    return f"{name}; fwd=miss" + "; stored" * stored + "; collapsed" * told.collapsed


def calls_status(plan: Plan, outcomes: Mapping[str, Outcome]) -> list[str]:
    """Cache-Status of each call whose replies are kept; for development."""
    return [
        cache_status(
            outcomes[name].freshness,
            stored=outcomes[name].freshness is not None,
            name=f'"bff/{name}"',
        )
        for name in plan.caching.calls
        if name in outcomes
    ]
