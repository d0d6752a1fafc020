"""An upstream service as declared: addresses, credentials, policies."""

from dataclasses import dataclass, field
from typing import Literal

from bff.model.policy import Policies
from bff.model.source import Place, Source

Credentials = Literal["none", "static", "session", "relay", "exchange", "client"]
HeaderTemplates = tuple[tuple[str, Source], ...]


@dataclass(frozen=True, slots=True)
class Links:
    """Where links and redirects of a service may lead: to its own addresses, below a path.

    Args:
        origins: `scheme://host[:port]` by which the service names itself in links.
        under: the path, from the origin, that a link must be at or below.
    """

    origins: tuple[str, ...] = ()
    under: str = "/"


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to a service: its CA, and the client certificate; paths of PEM files."""

    ca: str | None = None
    cert: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token for a service is requested with.

    Args:
        audience: its audience (RFC 8693, section 2.1); the service's name if empty.
        scope: its scopes, separated by spaces.
        provider: the provider; the caller's own, or the first that is declared, if empty.
    """

    audience: str = ""
    scope: str = ""
    provider: str = ""


OF_THE_CALLER = frozenset({"session", "relay", "exchange"})  # credentials of the caller


@dataclass(frozen=True, slots=True)
class Bearing:
    """Credentials that requests carry in place of those of their service.

    Args:
        secret: the header of static ones; never shown.
    """

    credentials: Credentials
    grant: Grant = Grant()
    secret: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Service(Policies):
    """One internal HTTP service, with the policies by which it is called.

    Args:
        url: its base URL, without a trailing slash.
        others: further addresses, which differ in host and port only.
        timeout: seconds that one request to it may take, unless the call declares less.
        max_reply: bytes of one decoded reply body.
        credentials: what its requests carry: `none`, the caller's token (`session`, also a bearer's
            with `relay`), one exchanged for it (`exchange`), or its own (`client`, `static`).
        grant: for `exchange` and `client`.
        secret: the header of static credentials; never shown.
        redirects: whether a redirect is followed, within `links`.
        headers: templates of headers sent with every request.
        forward: names of the client's headers that are passed on, in lower case.
        respond: names of reply headers that are passed to the client, in lower case.
        deadline: the header with the milliseconds that a request has left, in lower case.
        renew: the maximum age of a connection in seconds, so that DNS changes are seen.
    """

    name: str
    place: Place
    url: str
    timeout: float = 2.0
    max_reply: int = 8 * 1024 * 1024
    credentials: Credentials = "none"
    grant: Grant = Grant()
    secret: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    tls: Tls | None = None
    links: Links | None = None
    redirects: bool = False
    headers: HeaderTemplates = ()
    forward: frozenset[str] = field(default_factory=frozenset)
    respond: frozenset[str] = field(default_factory=frozenset)
    others: tuple[str, ...] = ()
    deadline: str | None = None
    renew: float = 60.0

    @property
    def asks_for_tokens(self) -> bool:
        """True if a token has to be obtained before it can be called."""
        return self.credentials not in {"none", "static"}

    @property
    def urls(self) -> tuple[str, ...]:
        """All its addresses."""
        return (self.url, *self.others)
