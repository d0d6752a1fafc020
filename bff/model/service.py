"""An internal upstream and what is declared of it."""

from dataclasses import dataclass, field

from bff.model.source import Place, Source

HeaderTemplates = tuple[tuple[str, Source], ...]


@dataclass(frozen=True, slots=True)
class Service:
    """One internal HTTP service.

    Args:
        url: the address all its paths stand under, without a trailing slash.
        timeout: seconds that one request to it may take, unless the call says less.
        limit: requests in flight at once per process; None is half the pool.
        max_reply: bytes of one decoded reply body.
        credentials: whose credentials its requests carry: `none` or `session`.
        headers: templates of headers sent with every request.
        forward: names of the client's headers that are passed on, in lower case.
        respond: names of reply headers that are passed to the client, in lower case.
    """

    name: str
    place: Place
    url: str
    timeout: float
    max_reply: int
    limit: int | None = None
    credentials: str = "none"
    headers: HeaderTemplates = ()
    forward: frozenset[str] = field(default_factory=frozenset)
    respond: frozenset[str] = field(default_factory=frozenset)
