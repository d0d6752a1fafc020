"""Calls, as views and `calls/*.yaml` declare them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from bff.declare.caching import CACHE
from bff.declare.load import Loaded, Node
from bff.declare.pages import PAGES, check_pages
from bff.declare.policy import HEDGE, RETRY
from bff.declare.read import (
    CONSTANT,
    DURATION,
    FLAG,
    TREE,
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
from bff.declare.readers import FIELD, FORWARDED_HEADER, HEADERS, NAME, REPLY_HEADER
from bff.declare.target import TARGET, follow_of
from bff.errors import ConfigError
from bff.model.problem import did_you_mean
from bff.model.source import Place, Source
from bff.model.view import Batch, Call, Each

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
_SAFE: Final = frozenset({"get", "head"})
_BODIES: Final = ("json", "form", "multipart", "json_with")
_KEEP: Final = "reply"
_RUNGS: Final = ("required", "optional", "fallback")
_ITEM: Final = "item"


def _query(node: Node) -> tuple[tuple[str, Any], ...]:
    if isinstance(node.value, list):  # names of parameters, passed on as they are
        names = list_of(FIELD).read(node)
        places = [each.place for each in node.value]
        pairs = zip(names, places, strict=True)
        return tuple((name, Source(f"{{params.{name}}}", place)) for name, place in pairs)
    read: dict[str, Any] = map_of(TREE).read(node)
    for name, value in read.items():
        if isinstance(value, dict):
            hint = 'a template needs quotes: "{params.id}"'
            place = node.value[name].place
            raise wrong("unquoted-braces", place, f"the query value `{name}` is a mapping", hint)
    return tuple(read.items())


def _each(node: Node) -> tuple[tuple[str, Source], ...]:
    if isinstance(node.value, dict):
        return tuple(map_of(source(), FIELD).read(node).items())
    return ((_ITEM, source().read(node)),)


JSON_BODY: Final = Reader(lambda node: (TREE.read(node),))  # null is a body too
QUERY: Final = Reader(_query, {"type": ["object", "array"]})
EACH: Final = Reader(_each, {"type": ["string", "object"]})
_STATUS: Final = integer(200, 599)

_REQUEST_KEYS: Final = {
    **{
        method: Key(TARGET, f"Sends {method.upper()} to `service:/path`, a template.")
        for method in METHODS
    },
    "query": Key(QUERY, "Templates of query values, or names of parameters passed on."),
    "headers": Key(HEADERS, "Templates of headers of the request."),
    "json": Key(JSON_BODY, "The request body as JSON: a tree of templates."),
    "form": Key(TREE, "The request body as a form (application/x-www-form-urlencoded)."),
    "multipart": Key(TREE, "The request body as multipart/form-data: texts and files."),
    "json_with": Key(source("a function"), "`package.module:function` that makes the body."),
}
BATCH_KEYS: Final = {
    **with_defaults(_REQUEST_KEYS, Call),
    "key": Key(source(), "Where in an element of the reply its id is.", required=True),
    "many": Key(FLAG, "Whether several elements belong to one id."),
    "size": Key(integer(1, 10_000), "Ids in one request; 100 if not said."),
    "join": Key(source("a separator"), "What stands between ids; without it the value repeats."),
    "items": Key(source(), "Where in the reply the list of elements is."),
}
CALL_KEYS: Final = {
    **_REQUEST_KEYS,
    "follow": Key(
        source(), "`service: expression`, a link of an earlier reply, instead of a path."
    ),
    "reply": Key(one_of("value", "full"), "`full` gives {status, headers, body}.", "value"),
    "decode": Key(one_of("json", "text", "xml", "bytes", "none"), "What a body is."),
    "forward": Key(list_of(FORWARDED_HEADER), "Headers of the client that are passed on."),
    "respond": Key(list_of(REPLY_HEADER), "Reply headers that are passed to the client."),
    "when": Key(source(), "The call is skipped where this is not true."),
    "after": Key(list_of(source("a call's name"), or_one=True), "Calls that end before it."),
    "each": Key(EACH, "A list, or names bound to lists: the call runs once per item."),
    "max": Key(integer(1, 10_000), "Items that `each` may select; 100 if not said.", Each(()).max),
    "over": Key(
        one_of("error", "truncate"),
        "What is more than `max`, or than `gather` of pages.",
        "error",
    ),
    "batch": Key(
        table(lambda place, values: (place, values), BATCH_KEYS, "a batch", Batch),
        "Folds the items of `each` into few requests.",
    ),
    "pages": Key(PAGES, "How the pages of its list follow each other, and what is read of them."),
    "into": Key(FIELD, "The field of each item that its result is attached as."),
    "replace": Key(FLAG, "Whether `into` may replace a field of the item."),
    "path": Key(source(), "The part of the reply that counts."),
    "status": Key(map_of(CONSTANT, _STATUS), "Values that stand for replies of a status.", {}),
    "required": Key(FLAG, "A failure fails the view; so it is if nothing else is said."),
    "optional": Key(FLAG, "A failure is null."),
    "fallback": Key(Reader(lambda node: (node.plain,)), "The value that stands for a failure."),
    "pass": Key(list_of(integer(400, 599)), "Statuses of a failure that the client gets.", ()),
    "guard": Key(FLAG, "Whether the call is made even where no shape uses it."),
    "safe": Key(FLAG, "Whether it changes nothing; GET and HEAD are safe."),
    "timeout": Key(DURATION, "How long one request may take; the service's if not said."),
    "cache": Key(CACHE, "How its replies are kept; `upstream` leaves it to them."),
    "retry": Key(RETRY, "When a request is sent again; as the service says if not said."),
    "hedge": Key(HEDGE, "When a second request is sent; as the service says if not said."),
}


def _body(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    given = [kind for kind in _BODIES if kind in values]
    if len(given) > 1:
        raise wrong(
            "key-conflict", place.of(given[1]), f"a request has one body: {' or '.join(given)}"
        )
    if not given:
        return {}
    body = values[given[0]]
    return {"body_kind": given[0], "body": body[0] if given[0] == "json" else body}


def _request(place: Place, values: dict[str, Any], what: str) -> tuple[str, str, Source]:
    methods = [method for method in METHODS if method in values]
    if len(methods) != 1:
        hint = "one of get, post, put, patch, delete, head: `get: users:/users`"
        raise wrong(
            "key-conflict",
            place.of(*methods[1:]),
            f"{what} has {len(methods) or 'no'} targets",
            hint,
        )
    service, path = values[methods[0]]
    return methods[0], service, path


def _rung(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    given = [rung for rung in _RUNGS if rung in values]
    if len(given) > 1:
        raise wrong("key-conflict", place.of(given[1]), f"a call is {' or '.join(given)}, not both")
    if not given:
        return {"rung": "required"}
    if given[0] == "fallback":
        return {"rung": "fallback", "fallback": values["fallback"][0]}
    if values[given[0]] is not True:
        raise wrong(
            "key-conflict",
            place.of(given[0]),
            f"`{given[0]}: false` says nothing",
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
                    "say what it is repeated over",
                )
        return None
    return Each(values["each"], values["max"], truncate=values["over"] == "truncate")


def _call(place: Place, values: dict[str, Any]) -> Call:
    each = _repeated(place, values)
    asked, batch = values, None
    if "batch" in values:
        batch_place, asked = values["batch"]
        if any(name in values for name in METHODS):
            raise wrong(
                "key-conflict", place.of("batch"), "a call with `batch` has its target in the batch"
            )
        batch = Batch(
            asked["key"],
            asked["many"],
            asked["size"],
            asked["join"].text if "join" in asked else None,
            asked.get("items"),
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
                "a call has a target or follows a link, not both",
            )
        service, follow = follow_of(values["follow"])
        method, path = "get", Source("/", follow.place)
    else:
        what = "a batch" if batch else "a call"
        method, service, path = _request(place_of_request, asked, what)
    statuses, pages = values["status"], values.get("pages")
    call = Call(
        name="",
        place=place,
        service=service,
        method=method.upper(),
        path=path,
        query=asked["query"],
        headers=asked["headers"],
        forward=frozenset(values["forward"]),
        respond=frozenset(values["respond"]),
        follow=follow,
        decode=values["decode"],
        full=values["reply"] == "full",
        keeps=frozenset(status for status, value in statuses.items() if value == _KEEP),
        when=values.get("when"),
        after=values["after"],
        each=each,
        batch=batch,
        into=values.get("into"),
        replace=values["replace"],
        select=values.get("path"),
        statuses={status: value for status, value in statuses.items() if value != _KEEP},
        passes=frozenset(values["pass"]),
        guard=values["guard"],
        safe=values.get("safe", method in _SAFE),
        timeout=values.get("timeout"),
        cache=values.get("cache"),
        retry=values.get("retry"),
        hedge=values.get("hedge"),
        pages=replace(pages, truncate=values["over"] == "truncate") if pages else None,
        **_body(place_of_request, asked),
        **_rung(place, values),
    )
    check_pages(call, values)
    return call


_CALL: Final = table(_call, CALL_KEYS, "a call", Call, absent=("safe",))


def call_reader(shared: Mapping[str, Loaded]) -> Reader:
    """How calls are read where `use` may name those of `shared`."""

    def read(node: Node) -> Call:
        call: Call = _CALL.read(_merged(node, shared))
        return call

    use = {**NAME.schema, "description": "A call of `calls/`; keys here replace its own."}
    schema = {**_CALL.schema, "properties": {**_CALL.schema["properties"], "use": use}}
    return Reader(read, schema)


def _merged(node: Node, shared: Mapping[str, Loaded]) -> Node:
    """A call with what it uses filled in; its own keys stand instead of those that they exclude."""
    if not isinstance(node.value, dict) or "use" not in node.value:
        return node
    used = NAME.read(node.value["use"])
    if used not in shared:
        hint = did_you_mean(used, shared)
        raise wrong("unknown-call", node.value["use"].place, f"no call `{used}` in calls/", hint)
    base = shared[used]
    if isinstance(base, ConfigError):
        raise base  # the same problems as those of its file, which are reported once
    if not isinstance(base.value, dict):
        raise wrong("wrong-type", base.place, "a shared call is a mapping, as in a view")
    own = {name: each for name, each in node.value.items() if name != "use"}
    gone = set(own)
    for exclusive in (_RUNGS, (*METHODS, "batch", "follow"), _BODIES):
        if gone & set(exclusive):
            gone |= set(exclusive)
    kept = {name: each for name, each in base.value.items() if name not in gone}
    return Node({**kept, **own}, node.place, {**(base.keys or {}), **(node.keys or {})})
