"""What may be kept, for how long and for whom, as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bff.model.source import Place, Source

Audience = Literal["public", "person"]


@dataclass(frozen=True, slots=True)
class CacheRule:
    """How the replies of a call, or the answers of a view, are kept.

    Args:
        ttl: seconds for which one is fresh; None leaves it to the upstream (RFC 9111).
        stale: seconds after that in which it is still answered, while it is refreshed (RFC 5861).
        stale_if_error: seconds in which it stands in for a failure (RFC 5861).
        scope: who may share it, as asked for; None for as many as is proven.
        vary: inputs by which it is kept apart, instead of by person: `session.claims.plan`.
        tags: templates of the names under which it can be invalidated.
        statuses: seconds for which replies of other statuses are kept (negative caching).
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
        """Whether the upstream's own words decide."""
        return self.ttl is None


@dataclass(frozen=True, slots=True)
class CacheStore:
    """Where entries are kept.

    Args:
        url: `memory`, `file:/path`, `redis://`, `redis+sentinel://` or `redis+cluster://`; empty
            for what the process was started with.
        memory: bytes that each process may keep in front of it.
    """

    url: str = field(default="", repr=False)
    memory: int = 64 * 1024 * 1024
