"""Which pages of other origins may read what is answered, by frontend (Fetch, section 3.3)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from bff.model.frontend import Frontend
from bff.model.relay import Relay
from bff.plan.plan import Plan
from bff.web.relay.headers import LAST_EVENT_ID, RELAYED_DOWN, RELAYED_UP

_SENT: Final = frozenset(
    {"authorization", "content-type", "idempotency-key", "if-none-match", "x-csrf"}
)
# What the app itself answers with, besides what pages may read anyway (Fetch, section 2.2.2).
_READ: Final = frozenset(
    {
        "accept-encoding",
        "allow",
        "bff-calls",
        "cache-status",
        "deprecation",
        "etag",
        "idempotency-replayed",
        "location",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "server-timing",
        "sunset",
        "www-authenticate",
        "x-request-id",
    }
)
_AUTH: Final = "auth"


@dataclass(frozen=True, slots=True)
class Sharing:
    """Which pages may read a frontend's answers, and how (Fetch, section 3.3).

    Args:
        origins: exact origins of the pages.
        sent: names of headers that they may send, in lower case.
        read: names of headers that they may read, in lower case.
        credentials: whether requests may carry cookies.
    """

    origins: frozenset[str]
    sent: frozenset[str]
    read: frozenset[str]
    credentials: bool


def sharing(
    frontends: Mapping[str, Frontend],
    plans: Mapping[str, Mapping[str, Plan]],
    relays: Collection[Relay] = (),
) -> dict[str, Sharing]:
    """What pages may read below `/{name}/`, by name; without the names that no page may read.

    Args:
        plans: by view and frontend.
    """
    found = {}
    for name, frontend in frontends.items():
        own = [each[name] for each in plans.values() if name in each]
        nodes = [each.compiled for plan in own for each in plan.nodes.values()]
        passing = [each for each in relays if name in each.frontends]
        found[name] = Sharing(
            frozenset(frontend.origins),
            _SENT.union(
                *(plan.forward for plan in own),
                *({LAST_EVENT_ID} for plan in own if plan.view.stream),
                *(RELAYED_UP | each.forward for each in passing),
            ),
            _READ.union(
                *(each.respond for each in nodes),
                *({header for header, _ in plan.view.respond} for plan in own),
                *(RELAYED_DOWN | each.respond for each in passing),
            ),
            credentials="session" in frontend.access,
        )
    takers = [each for each in frontends.values() if "session" in each.access]
    origins = frozenset(origin for each in takers for origin in each.origins)
    found[_AUTH] = Sharing(origins, _SENT, _READ, credentials=True)
    return {name: each for name, each in found.items() if each.origins}
