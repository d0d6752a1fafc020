"""The CORS policies of frontends (Fetch, section 3.3)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from bff.model.frontend import Frontend
from bff.model.relay import Relay
from bff.plan.plan import Plan
from bff.web.relay.headers import LAST_EVENT_ID, RELAYED_REQUEST_HEADERS, RELAYED_RESPONSE_HEADERS

_ALLOWED_HEADERS: Final = frozenset(
    {"authorization", "content-type", "idempotency-key", "if-none-match", "x-csrf"}
)
# Besides the headers that pages may always read (Fetch, section 2.2.2).
_EXPOSED_HEADERS: Final = frozenset(
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
class CorsPolicy:
    """The pages that may read a frontend's answers, and how (Fetch, section 3.3).

    Args:
        origins: exact origins of the pages.
        allow_headers: request headers that they may send, in lower case.
        expose_headers: response headers that they may read, in lower case.
        credentials: whether requests may carry cookies.
    """

    origins: frozenset[str]
    allow_headers: frozenset[str]
    expose_headers: frozenset[str]
    credentials: bool


def cors_policies(
    frontends: Mapping[str, Frontend],
    plans: Mapping[str, Mapping[str, Plan]],
    relays: Collection[Relay] = (),
) -> dict[str, CorsPolicy]:
    """The policies by first path segment (a frontend, or `auth`), of those with origins.

    `forward` and `respond` of a frontend's calls and relays add to its headers.

    Args:
        plans: by view and frontend.
    """
    found = {}
    for name, frontend in frontends.items():
        own = [by_frontend[name] for by_frontend in plans.values() if name in by_frontend]
        calls = [node.compiled for plan in own for node in plan.nodes.values()]
        own_relays = [relay for relay in relays if name in relay.frontends]
        found[name] = CorsPolicy(
            frozenset(frontend.origins),
            _ALLOWED_HEADERS.union(
                *(plan.forward for plan in own),
                *({LAST_EVENT_ID} for plan in own if plan.view.stream),
                *(RELAYED_REQUEST_HEADERS | relay.forward for relay in own_relays),
            ),
            _EXPOSED_HEADERS.union(
                *(call.respond for call in calls),
                *(RELAYED_RESPONSE_HEADERS | relay.respond for relay in own_relays),
            ),
            credentials="session" in frontend.access,
        )
    with_session = [frontend for frontend in frontends.values() if "session" in frontend.access]
    origins = frozenset(origin for frontend in with_session for origin in frontend.origins)
    found[_AUTH] = CorsPolicy(origins, _ALLOWED_HEADERS, _EXPOSED_HEADERS, credentials=True)
    return {name: policy for name, policy in found.items() if policy.origins}
