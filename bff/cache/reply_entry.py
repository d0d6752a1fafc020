"""From the reply of a service to a cache entry."""

from collections.abc import Callable
from typing import Final

from bff.cache.entry import CacheEntry
from bff.cache.policy import Shared, age_of, lifetime
from bff.model.cache import CacheRule
from bff.model.exchange import Reply, Request

# headers of one connection (RFC 9110, section 7.6.1) or of one user, which are not stored
_NOT_STORED: Final = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "set-cookie", "set-cookie2", "content-encoding"),
        *("content-length", "age"),
    }
)


def entry_of(
    rule: CacheRule,
    request: Request,
    reply: Reply,
    shared: Shared,
    now: float,
    chance: Callable[[], float],
    label: str,
) -> CacheEntry | None:
    """The entry of a reply; None if the reply may not be stored.

    Args:
        shared: the users that it would be answered to.
        now: seconds since 1970.
        chance: random numbers from 0 to 1, by which the lifetime is spread.
        label: a description for operators, without any user's data.
    """
    life = lifetime(rule, request, reply, shared, now, chance)
    if life is None:
        return None
    headers = tuple(each for each in reply.headers if each[0] not in _NOT_STORED)
    made = now - age_of(reply) if rule.by_upstream else now
    times = (life.fresh, life.stale, life.error, life.keep)
    return CacheEntry(reply.status, headers, reply.body, made, *times, label)
