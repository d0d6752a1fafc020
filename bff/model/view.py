"""Views and calls as declared: frozen once loaded, with no trace of YAML."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from bff.model.access import (
    Access,
    Csrf,
    Requirement,
)
from bff.model.cache import CacheRule
from bff.model.frontend import Frontend
from bff.model.pages import Pages
from bff.model.policy import Hedge, Retry
from bff.model.relay import Stream
from bff.model.service import HeaderTemplates
from bff.model.source import Place, Source, Tree

Rung = Literal["required", "optional", "fallback"]
BodyKind = Literal["none", "json", "form", "multipart", "json_with"]
Idempotency = Literal["honoured", "required"]
Decode = Literal["json", "text", "xml", "bytes", "none"]
RESERVE: Final = 0.05  # seconds: enough to shape and encode a large answer


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter, by the keywords of JSON Schema 2020-12 (validation, section 6)."""

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
        key: selects the id of an element of the reply.
        many: whether an id may have several elements.
        size: the most ids in one request.
        join: the separator of ids in one query value; None repeats the parameter.
        items: selects the list of elements; None is the reply itself.
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
        follow: an expression that gives the target in place of `path`: a link of an earlier reply.
        body: the tree of the request body, or for `json_with` the function's name.
        full: whether the value is the whole reply: status, headers and body.
        keeps: error statuses whose full reply is the value.
        select: the part of the reply that is the value (`path` in the files).
        statuses: values that replace replies of these statuses.
        rung: the effect of a failure: the view fails, null, or `fallback`.
        passes: statuses of a failed required call that the client gets.
        timeout: seconds; None is the service's.
        cache: how its replies are cached; None for not at all.
        retry: None is the service's; likewise `hedge`.
        pages: pagination of its list; None where one reply is complete.
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
    """An error that the view answers where `when` is true."""

    when: Source
    status: int
    title: str


@dataclass(frozen=True, slots=True)
class View:
    """One declared endpoint of one or more frontends.

    Args:
        path: the route below the frontend's prefix, as written: `/orders/{id}`.
        version: above 1 it is a segment of the route: `/mobile/v2/home`.
        deprecated: the time of its deprecation, in seconds since 1970 (RFC 9745).
        sunset: the time of its removal, in seconds since 1970 (RFC 8594).
        body: the JSON Schema (2020-12) of the request body; None where there is none.
        max_body: bytes of a request body.
        answer: the status of the answer, or the name of the call whose status it is.
        shape_with: the name of a function that makes the answer in place of `shape`.
        omit_null: whether nulls in objects are left out.
        require_any: calls of which at least one must succeed.
        function: the function of a view in Python; `reads` and `given` are its declarations.
        access: who may request it; None is any signed-in user, where the frontend has sign-in.
        shape: the tree of the answer; None answers the only call's value.
        shapes: shapes of single frontends, in its place.
        timeout: seconds that the whole answer may take.
        reserve: seconds of these that are reserved for making the answer, after all calls.
        max_calls: the most requests to services for one answer.
        max_bytes: the most bytes of all its replies together.
        strict: whether undeclared query parameters are refused.
        values: named expressions that other expressions of the view may use.
        cache: how its answers are cached; None for not at all.
        invalidates: templates of the cache tags that a successful write invalidates.
        sparse: whether `?fields=` selects a part of it (sparse fieldsets).
        refresh: views that are read again after a write and returned with its answer.
        idempotency: whether an Idempotency-Key is required of a write.
        require: what the caller must have.
        csrf: the CSRF check: `header` requires `X-CSRF: 1`; `origin` checks Origin and
            Sec-Fetch-Site, for requests that cannot carry a header.
        stream: `events` where the server-sent events of its only call are passed on.
        keep_alive: seconds of silence after which a comment is sent on the stream.
        max_age: seconds after which a stream is closed, so that the client reconnects.
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
    reserve: float = RESERVE
    max_calls: int = 200
    max_bytes: int = 32 * 1024 * 1024
    strict: bool = False
    values: Mapping[str, Source] = field(default_factory=dict)
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
        """Who may request this view at one of its frontends."""
        return self.access or ("signed_in" if frontend.access else "public")
