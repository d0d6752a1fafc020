"""Relays as declared: raw routes, each a path or a tree of them passed on to one service."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from bff.model.access import Access, Csrf, Requirement
from bff.model.frontend import Frontend
from bff.model.service import Bearing, Service
from bff.model.source import Place

Stream = Literal["", "events", "websocket"]


@dataclass(frozen=True, slots=True)
class StandIn:
    """What is answered to a read in the place of a service that is not well."""

    status: int
    text: str
    type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Relay:
    """One raw route.

    Args:
        path: the route below the frontend's prefix, as written: `/files/{path...}`.
        target: the path below the service's address, with the same names: `/{path...}`.
        methods: what is passed on; HEAD comes with GET.
        forward: the client's headers that are passed on besides the usual ones, in lower case.
        respond: reply headers that are passed down besides the usual ones, in lower case.
        cookies: names of the client's cookies that are passed on.
        timeout: seconds for which nothing may move, in either direction.
        max_body: bytes of a request body.
        credentials: whose its requests carry; None for those of the service.
        fallback: what a read is answered where the service is not well.
        stream: `events` for server-sent events, `websocket` for what nginx passes on.
        keep_alive: seconds after which a silent stream of events says that it is there.
        max_age: seconds after which a stream is closed, so that the client comes again.
    """

    name: str
    place: Place
    path: str
    service: str
    target: str
    frontends: tuple[str, ...]
    methods: tuple[str, ...] = ("GET",)
    access: Access | None = None
    require: Requirement | None = None
    csrf: Csrf = "header"
    forward: frozenset[str] = field(default_factory=frozenset)
    respond: frozenset[str] = field(default_factory=frozenset)
    cookies: tuple[str, ...] = ()
    timeout: float = 15.0
    max_body: int = 1024 * 1024
    credentials: Bearing | None = None
    fallback: StandIn | None = None
    stream: Stream = ""
    keep_alive: float = 15.0
    max_age: float = 900.0

    def access_at(self, frontend: Frontend) -> Access:
        """Who may ask at one of its frontends."""
        return self.access or ("signed_in" if frontend.access else "public")


def called_by(relay: Relay, services: Mapping[str, Service]) -> Service:
    """The service of a relay, with the credentials that it is called with by this relay.

    With credentials of its own it has a name of its own, by which tokens are asked for and kept.
    """
    service, own = services[relay.service], relay.credentials
    if own is None:
        return service
    grant = own.grant
    if own.credentials != "client":  # a token is made for the service, whoever passes it on
        grant = replace(grant, audience=grant.audience or service.name)
    return replace(
        service,
        name=f"{service.name} of {relay.name}",
        credentials=own.credentials,
        grant=grant,
        secret=own.secret,
    )
