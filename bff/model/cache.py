"""Caching as declared: for how long responses are cached, and who shares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bff.model.source import Place, Source

Audience = Literal["public", "person"]


@dataclass(frozen=True, slots=True)
class CacheRule:
    """How the replies of a call, or the answers of a view, are cached.

    Args:
        ttl: seconds for which one is fresh; None follows the headers of the upstream (RFC 9111).
        stale: seconds of stale-while-revalidate (RFC 5861, section 3).
        stale_if_error: seconds of stale-if-error (RFC 5861, section 4).
        scope: who may share it, as declared; None for the widest scope that is proven safe.
        vary: inputs that the key depends on instead of the user: `session.claims.plan`.
        tags: templates of the cache tags by which it can be invalidated.
        statuses: seconds for which replies of other statuses are cached (negative caching).
    """

    place: Place
    ttl: float | None = None
    stale: float = 0.0
    stale_if_error: float = 0.0
    scope: Audience | None = None
    vary: tuple[str, ...] = ()
    tags: tuple[Source, ...] = ()
    statuses: Mapping[int, float] = field(default_factory=dict)

    @property
    def by_upstream(self) -> bool:
        """True if the headers of the upstream decide."""
        return self.ttl is None


@dataclass(frozen=True, slots=True)
class CacheStore:
    """Where entries are stored.

    Args:
        url: `memory`, `file:/path`, `redis://`, `redis+sentinel://` or `redis+cluster://`; empty
            for the setting of the process.
        memory: bytes of the cache that each process has in its own memory, in front of it.
    """

    url: str = field(default="", repr=False)
    memory: int = 64 * 1024 * 1024
