"""A whole configuration, as declared."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bff.model.access import (
    Issuer,
    Limits,
    Provider,
    SessionRules,
)
from bff.model.cache import CacheStore
from bff.model.frontend import Frontend
from bff.model.relay import Relay
from bff.model.service import Service
from bff.model.source import Place, Reference
from bff.model.view import View


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is declared: all that a worker needs to answer requests, immutable.

    Args:
        exchange: what sends requests to services, `sockets` or `pool`; empty for the best that is
            installed.
        streams: the share of a process's request threads that streams of events may occupy.
        place: where bff.yaml begins.
        referred: the values of its `${…}` references, so that recordings are free of their secrets.
    """

    hosts: tuple[str, ...]
    frontends: Mapping[str, Frontend]
    services: Mapping[str, Service]
    views: tuple[View, ...]
    cache: CacheStore = field(default_factory=CacheStore)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    issuers: Mapping[str, Issuer] = field(default_factory=dict)
    session: SessionRules = field(default_factory=SessionRules)
    limits: Limits = field(default_factory=Limits)
    relays: tuple[Relay, ...] = ()
    exchange: str = ""
    streams: float = 0.5
    place: Place = field(default_factory=lambda: Place("bff.yaml"))
    referred: tuple[Reference, ...] = field(default=(), repr=False)
