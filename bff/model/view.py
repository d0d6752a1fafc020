"""Frontends, views and calls as declared: frozen once loaded, with no trace of YAML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bff.model.access import (
    Access,
    Csrf,
    Issuer,
    Limits,
    Provider,
    Requirement,
    SessionRules,
)
from bff.model.cache import CacheRule, CacheStore
from bff.model.pages import Pages
from bff.model.policy import Hedge, Retry
from bff.model.relay import Relay, Stream
from bff.model.service import HeaderTemplates, Service
from bff.model.source import Place, Reference, Source, Tree

Rung = Literal["required", "optional", "fallback"]
BodyKind = Literal["none", "json", "form", "multipart", "json_with"]
Idempotency = Literal["honoured", "required"]
Decode = Literal["json", "text", "xml", "bytes", "none"]


@dataclass(frozen=True, slots=True)
class Frontend:
    """One client application; its name is its URL prefix.

    Args:
        access: the ways to sign in that it accepts; empty for none.
        origins: exact origins of its pages.
        languages: language tags it speaks (RFC 5646), the first is the default.
        batch: views that one batch may ask for; 0 for no batches.
        trust_traceparent: whether the trace that a request says it belongs to is continued.
    """

    name: str
    place: Place
    access: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    batch: int = 0
    trust_traceparent: bool = False


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter, in the words of JSON Schema 2020-12 (validation, section 6)."""

    name: str
    place: Place
    where: Literal["path", "query"] = "query"
    type: Literal["string", "integer", "number", "boolean", "array"] = "string"
    required: bool = True
    default: Any = None
    enum: tuple[Any, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None
    items: "Param | None" = None
    min_items: int | None = None
    max_items: int | None = None


@dataclass(frozen=True, slots=True)
class Each:
    """What a call is repeated over: names bound to selections, the outermost first."""

    over: tuple[tuple[str, Source], ...]
    max: int = 100
    truncate: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """How the items of an `each` are folded into few requests and taken apart again.

    Args:
        key: where in an element of the reply its id is.
        many: whether several elements belong to one id.
        size: ids in one request.
        join: what stands between ids in one query value; None repeats the value.
        items: where in the reply the list of elements is; None is the reply itself.
    """

    key: Source
    many: bool = False
    size: int = 100
    join: str | None = None
    items: Source | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One upstream request of a view, as a template, with its own failure rule.

    Args:
        query: templates of the query, in order; a value is a Source or a constant.
        follow: an expression that gives the target instead of `path`, a link of an earlier reply.
        body: the tree of the request body, or for `json_with` the function's name.
        full: whether the value is the whole reply: status, headers and body.
        keeps: failures that are values too, in the form of a full reply.
        select: the part of the reply that counts (`path` in the files).
        statuses: values that stand for replies of these statuses.
        rung: what a failure means: the view fails, null, or `fallback`.
        passes: statuses that a failed required call hands to the client.
        timeout: seconds; None is the service's.
        cache: how its replies are kept; None keeps none.
        retry: None is the service's, and so with `hedge`.
        pages: how the pages of its list are turned; None for a reply that is all there is.
    """

    name: str
    place: Place
    service: str
    method: str
    path: Source
    query: tuple[tuple[str, Any], ...] = ()
    headers: HeaderTemplates = ()
    forward: frozenset[str] = field(default_factory=frozenset)
    respond: frozenset[str] = field(default_factory=frozenset)
    follow: Source | None = None
    body: Tree = None
    body_kind: BodyKind = "none"
    decode: Decode = "json"
    full: bool = False
    keeps: frozenset[int] = field(default_factory=frozenset)
    when: Source | None = None
    after: tuple[Source, ...] = ()
    each: Each | None = None
    batch: Batch | None = None
    into: str | None = None
    replace: bool = False
    select: Source | None = None
    statuses: Mapping[int, Any] = field(default_factory=dict)
    rung: Rung = "required"
    fallback: Any = None
    passes: frozenset[int] = field(default_factory=frozenset)
    guard: bool = False
    safe: bool = True
    timeout: float | None = None
    cache: CacheRule | None = None
    retry: Retry | None = None
    hedge: Hedge | None = None
    pages: Pages | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error of the view's own, where `when` is true."""

    when: Source
    status: int
    title: str


@dataclass(frozen=True, slots=True)
class View:
    """One declared endpoint of one or more frontends.

    Args:
        path: the route below the frontend's prefix, as written: `/orders/{id}`.
        version: above 1 it is a segment of the route: `/mobile/v2/home`.
        deprecated: since when, in seconds since 1970 (RFC 9745).
        sunset: when it will go, likewise (RFC 8594).
        body: the JSON Schema (2020-12) of the request body; None reads none.
        max_body: bytes of a request body.
        answer: the status of the answer, or the name of the call whose status it is.
        shape_with: the name of a function that makes the answer instead of `shape`.
        omit_null: whether nulls in objects are left out.
        require_any: calls of which at least one must come.
        function: what answers a view in Python, with what it reads and gives to its calls.
        access: who may ask; None is whoever is signed in, where the frontend has a way to.
        shape: the tree of the answer; None passes the only call's value on.
        shapes: what replaces it for a frontend.
        timeout: seconds that the whole answer may take.
        reserve: seconds of these that calls are not given: an answer is made in them.
        max_calls: requests that one answer may cost.
        max_bytes: bytes that all its replies together may have.
        strict: whether undeclared query parameters are refused.
        cache: how its answers are kept; None keeps none.
        invalidates: templates of the tags of what is no longer true once it has written.
        sparse: whether `?fields=` may ask for less of it.
        refresh: views whose answers, read anew, come along with that of a write.
        idempotency: whether a write has to come with an Idempotency-Key.
        require: what who asks must have.
        csrf: how a browser's request shows that it is from a page of ours: by a header, or, where
            none can be sent, by its origin alone.
        stream: `events` where its only call's events are passed on as they come.
        keep_alive: seconds after which a silent stream says that it is there.
        max_age: seconds after which a stream is closed, so that the client comes again.
    """

    name: str
    place: Place
    path: str
    frontends: tuple[str, ...]
    calls: tuple[Call, ...]
    params: tuple[Param, ...] = ()
    access: Access | None = None
    shape: Tree = None
    shapes: Mapping[str, Tree] = field(default_factory=dict)
    timeout: float = 5.0
    reserve: float = 0.05
    max_calls: int = 200
    max_bytes: int = 32 * 1024 * 1024
    strict: bool = False
    require: Requirement | None = None
    csrf: Csrf = "header"
    method: str = "GET"
    version: int = 1
    deprecated: int | None = None
    sunset: int | None = None
    body: Mapping[str, Any] | None = None
    max_body: int = 1024 * 1024
    answer: int | str = 200
    shape_with: Source | None = None
    omit_null: bool = False
    require_any: tuple[Source, ...] = ()
    refuse: tuple[Refusal, ...] = ()
    function: Callable[[Any], Any] | None = None
    reads: tuple[tuple[str, ...], ...] | None = None
    given: frozenset[str] = field(default_factory=frozenset)
    cache: CacheRule | None = None
    invalidates: tuple[Source, ...] = ()
    refresh: tuple[str, ...] = ()
    sparse: bool = False
    idempotency: Idempotency = "honoured"
    stream: Stream = ""
    keep_alive: float = 15.0
    max_age: float = 900.0

    @property
    def route(self) -> str:
        """The path below the frontend's prefix, with the version."""
        return self.path if self.version == 1 else f"/v{self.version}{self.path}"

    def access_at(self, frontend: Frontend) -> Access:
        """Who may ask for this view at one of its frontends."""
        return self.access or ("signed_in" if frontend.access else "public")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything declared: what a worker needs to answer requests, and nothing that moves.

    Args:
        exchange: what carries requests to services, `sockets` or `pool`; empty for the best that
            is installed.
        streams: the share of a process's threads that streams of events may hold.
        place: where bff.yaml begins.
        referred: what its `${…}` stand for, so that no recording has the secrets among them.
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
