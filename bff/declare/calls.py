"""Readers of calls, in views and in `calls/*.yaml`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from bff.declare.caching import CACHE
from bff.declare.load import LoadResult, Node
from bff.declare.pages import PAGES, check_pages
from bff.declare.policy import HEDGE, RETRY
from bff.declare.read import (
    CONSTANT,
    DURATION,
    FLAG,
    Key,
    Reader,
    integer,
    list_of,
    map_of,
    one_of,
    source,
    table,
    with_defaults,
    wrong,
)
from bff.declare.readers import FIELD, FORWARDED_HEADER, NAME, REPLY_HEADER
from bff.declare.request_keys import BODIES, METHODS, REQUEST_KEYS, body_fields, target_of
from bff.declare.target import follow_of
from bff.errors import ConfigError
from bff.model.problem import did_you_mean
from bff.model.source import Place, Source
from bff.model.view import Batch, Call, Each

_SAFE: Final = frozenset({"get", "head"})
_REPLY: Final = "reply"
_RUNGS: Final = ("required", "optional", "fallback")
_ITEM: Final = "item"


def _each(node: Node) -> tuple[tuple[str, Source], ...]:
    if isinstance(node.value, dict):
        return tuple(map_of(source(), FIELD).read(node).items())
    return ((_ITEM, source().read(node)),)


EACH: Final = Reader(_each, {"type": ["string", "object"]})
_STATUS: Final = integer(200, 599)

BATCH_KEYS: Final = {
    **with_defaults(REQUEST_KEYS, Call),
    "key": Key(source(), "Expression for the id of an element of the reply.", required=True),
    "many": Key(FLAG, "Several elements may have the same id."),
    "size": Key(integer(1, 10_000), "Maximum ids of one request; default 100."),
    "join": Key(
        source("a separator"), "Separator between ids; by default the query parameter is repeated."
    ),
    "items": Key(
        source(), "Expression for the list of elements in the reply; by default the reply itself."
    ),
}
CALL_KEYS: Final = {
    **REQUEST_KEYS,
    "follow": Key(
        source(), "`service: expression`: follows a link of an earlier reply, in place of a path."
    ),
    "reply": Key(
        one_of("value", "full"), "`full` makes its value {status, headers, body}.", "value"
    ),
    "decode": Key(one_of("json", "text", "xml", "bytes", "none"), "Format of the reply body."),
    "forward": Key(list_of(FORWARDED_HEADER), "Request headers of the client that are passed on."),
    "respond": Key(list_of(REPLY_HEADER), "Response headers that are passed to the client."),
    "when": Key(source(), "Condition: the call is skipped unless this is true."),
    "after": Key(
        list_of(source("a call's name"), or_one=True), "Calls that must end before it starts."
    ),
    "each": Key(EACH, "A list, or names with lists: the call is made once for each item."),
    "max": Key(integer(1, 10_000), "Maximum items of `each`; default 100.", Each(()).max),
    "over": Key(
        one_of("error", "truncate"),
        "What happens beyond `max` items, or `gather` pages: an error, or the rest is left out.",
        "error",
    ),
    "batch": Key(
        table(lambda place, values: (place, values), BATCH_KEYS, "a batch", Batch),
        "Combines the items of `each` into few requests.",
    ),
    "pages": Key(PAGES, "Pagination of the list that it reads."),
    "into": Key(FIELD, "The field of each item to which its result is added."),
    "replace": Key(FLAG, "`into` may replace an existing field of the item."),
    "path": Key(source(), "Expression that selects its value from the reply."),
    "status": Key(
        map_of(CONSTANT, _STATUS), "Values by status, which replace replies with that status.", {}
    ),
    "required": Key(FLAG, "A failure fails the view (default)."),
    "optional": Key(FLAG, "A failure makes its value null."),
    "fallback": Key(Reader(lambda node: (node.plain,)), "Its value after a failure."),
    "pass": Key(list_of(integer(400, 599)), "Error statuses that are passed to the client.", ()),
    "guard": Key(FLAG, "The call is made even where no shape uses it."),
    "safe": Key(
        FLAG, "It changes nothing on the service; GET and HEAD are safe (RFC 9110, section 9.2.1)."
    ),
    "timeout": Key(DURATION, "Timeout of one request; by default that of the service."),
    "cache": Key(CACHE, "Caching of its replies; `upstream` follows their headers."),
    "retry": Key(RETRY, "Retry policy; by default that of the service."),
    "hedge": Key(
        HEDGE, "When a hedged (second) request is sent; by default as the service declares."
    ),
}


def _rung(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    given = [rung for rung in _RUNGS if rung in values]
    if len(given) > 1:
        raise wrong("key-conflict", place.of(given[1]), f"a call is either {' or '.join(given)}")
    if not given:
        return {"rung": "required"}
    if given[0] == "fallback":
        return {"rung": "fallback", "fallback": values["fallback"][0]}
    if values[given[0]] is not True:
        raise wrong(
            "key-conflict",
            place.of(given[0]),
            f"`{given[0]}: false` has no meaning",
            "`optional: true` for a null, or a `fallback`",
        )
    return {"rung": given[0]}


def _repeated(place: Place, values: dict[str, Any]) -> Each | None:
    if "each" not in values:
        for name in ("into", "batch", "replace"):
            if values.get(name):
                raise wrong(
                    "key-conflict",
                    place.of(name),
                    f"`{name}` needs `each`",
                    "`each: orders[]`, the list that it is repeated over",
                )
        return None
    return Each(values["each"], values["max"], truncate=values["over"] == "truncate")


def _call(place: Place, values: dict[str, Any]) -> Call:
    each = _repeated(place, values)
    request, batch = values, None
    if "batch" in values:
        batch_place, request = values["batch"]
        if any(name in values for name in METHODS):
            raise wrong(
                "key-conflict",
                place.of("batch"),
                "a call with `batch` has its target within `batch`",
            )
        batch = Batch(
            request["key"],
            request["many"],
            request["size"],
            request["join"].text if "join" in request else None,
            request.get("items"),
        )
        place_of_request = batch_place
    else:
        place_of_request = place
    follow = None
    if "follow" in values:
        if batch or any(name in values for name in METHODS):
            raise wrong(
                "key-conflict",
                place.of("follow"),
                "a call has either a target or `follow`",
            )
        service, follow = follow_of(values["follow"])
        method, path = "get", Source("/", follow.place)
    else:
        what = "a batch" if batch else "a call"
        method, service, path = target_of(place_of_request, request, what)
    statuses, pages = values["status"], values.get("pages")
    call = Call(
        name="",
        place=place,
        service=service,
        method=method.upper(),
        path=path,
        query=request["query"],
        headers=request["headers"],
        forward=frozenset(values["forward"]),
        respond=frozenset(values["respond"]),
        follow=follow,
        decode=values["decode"],
        full=values["reply"] == "full",
        keeps=frozenset(status for status, value in statuses.items() if value == _REPLY),
        when=values.get("when"),
        after=values["after"],
        each=each,
        batch=batch,
        into=values.get("into"),
        replace=values["replace"],
        select=values.get("path"),
        statuses={status: value for status, value in statuses.items() if value != _REPLY},
        passes=frozenset(values["pass"]),
        guard=values["guard"],
        safe=values.get("safe", method in _SAFE),
        timeout=values.get("timeout"),
        cache=values.get("cache"),
        retry=values.get("retry"),
        hedge=values.get("hedge"),
        pages=replace(pages, truncate=values["over"] == "truncate") if pages else None,
        **body_fields(place_of_request, request),
        **_rung(place, values),
    )
    check_pages(call, values)
    return call


_CALL: Final = table(_call, CALL_KEYS, "a call", Call, absent=("safe",))


def call_reader(shared: Mapping[str, LoadResult]) -> Reader:
    """The reader of calls, of which `use` may name one of `shared`."""

    def read(node: Node) -> Call:
        call: Call = _CALL.read(_merged(node, shared))
        return call

    use = {**NAME.schema, "description": "A shared call of `calls/`; keys here override its own."}
    schema = {**_CALL.schema, "properties": {**_CALL.schema["properties"], "use": use}}
    return Reader(read, schema)


def _merged(node: Node, shared: Mapping[str, LoadResult]) -> Node:
    """A call merged with the shared call that it uses.

    Its own keys override those of the shared call, and remove those that they exclude:
    `{use: user, optional: true}` drops the `fallback` of `user`, and `post:` drops its `get:`.
    """
    if not isinstance(node.value, dict) or "use" not in node.value:
        return node
    used = NAME.read(node.value["use"])
    if used not in shared:
        hint = did_you_mean(used, shared)
        raise wrong("unknown-call", node.value["use"].place, f"no call `{used}` in calls/", hint)
    base = shared[used]
    if isinstance(base, ConfigError):
        raise base  # the problems of its own file, which are reported once
    if not isinstance(base.value, dict):
        raise wrong("wrong-type", base.place, "a shared call is a mapping, as in a view")
    own = {name: value for name, value in node.value.items() if name != "use"}
    replaced = set(own)
    for exclusive in (_RUNGS, (*METHODS, "batch", "follow"), BODIES):
        if replaced & set(exclusive):
            replaced |= set(exclusive)
    inherited = {name: value for name, value in base.value.items() if name not in replaced}
    return Node({**inherited, **own}, node.place, {**(base.keys or {}), **(node.keys or {})})
