"""Relays as declared: routes that are passed through to one service, one path or a tree."""

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
    """The fallback response to a read while the service is unavailable."""

    status: int
    text: str
    type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Relay:
    """One route that is passed through.

    Args:
        path: the route below the frontend's prefix, as written: `/files/{path...}`.
        target: the path below the service's address, with the same names: `/{path...}`.
        methods: those that are passed on; GET includes HEAD.
        forward: the client's headers that are passed on besides the usual ones, in lower case.
        respond: reply headers that are passed down besides the usual ones, in lower case.
        cookies: names of the client's cookies that are passed on.
        timeout: seconds without a byte in either direction after which it is cut.
        max_body: bytes of a request body.
        credentials: those that its requests carry; None for those of the service.
        fallback: the response to a read while the service is unavailable.
        stream: `events` for server-sent events, `websocket` for what nginx passes on.
        keep_alive: seconds of silence after which a comment is sent on a stream of events.
        max_age: seconds after which a stream is closed, so that the client reconnects.
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
        """Who may request it at one of its frontends."""
        return self.access or ("signed_in" if frontend.access else "public")


def called_by(relay: Relay, services: Mapping[str, Service]) -> Service:
    """The service of a relay, with the credentials that it is called with by this relay.

    Where the relay has credentials of its own, so has the name: tokens are cached under it.
    """
    service, own = services[relay.service], relay.credentials
    if own is None:
        return service
    grant = own.grant
    if own.credentials != "client":  # a token is made for the service, not for the relay
        grant = replace(grant, audience=grant.audience or service.name)
    return replace(
        service,
        name=f"{service.name} of {relay.name}",
        credentials=own.credentials,
        grant=grant,
        secret=own.secret,
    )
