"""The keys of a request, which calls and batches have in common: target, query, headers, body."""

from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import TREE, Key, Reader, list_of, map_of, source, wrong
from bff.declare.readers import FIELD, HEADERS
from bff.declare.target import TARGET
from bff.model.source import Place, Source

METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
BODIES: Final = ("json", "form", "multipart", "json_with")


def _query(node: Node) -> tuple[tuple[str, Any], ...]:
    if isinstance(node.value, list):  # names of parameters, which are passed on unchanged
        names = list_of(FIELD).read(node)
        places = [item.place for item in node.value]
        pairs = zip(names, places, strict=True)
        return tuple((name, Source(f"{{params.{name}}}", place)) for name, place in pairs)
    read: dict[str, Any] = map_of(TREE).read(node)
    for name, value in read.items():
        if isinstance(value, dict):
            hint = 'a template needs quotes: "{params.id}"'
            place = node.value[name].place
            raise wrong("unquoted-braces", place, f"the query value `{name}` is a mapping", hint)
    return tuple(read.items())


JSON_BODY: Final = Reader(lambda node: (TREE.read(node),))  # in a tuple: null is a body too
QUERY: Final = Reader(_query, {"type": ["object", "array"]})

REQUEST_KEYS: Final = {
    **{
        method: Key(TARGET, f"Sends {method.upper()} to `service:/path`, a template.")
        for method in METHODS
    },
    "query": Key(
        QUERY, "Templates of query parameters, or names of parameters that are passed on."
    ),
    "headers": Key(HEADERS, "Templates of request headers."),
    "json": Key(JSON_BODY, "The request body as JSON: a tree of templates."),
    "form": Key(TREE, "The request body as application/x-www-form-urlencoded: templates by field."),
    "multipart": Key(TREE, "The request body as multipart/form-data: texts and files."),
    "json_with": Key(
        source("a function"), "The `package.module:function` that returns the request body."
    ),
}


def body_fields(place: Place, values: dict[str, Any]) -> dict[str, Any]:
    """The fields of a Call for the body of its requests: its kind and its content.

    Raises:
        ConfigError: there are several bodies.
    """
    given = [kind for kind in BODIES if kind in values]
    if len(given) > 1:
        raise wrong(
            "key-conflict", place.of(given[1]), f"a request has one body: {' or '.join(given)}"
        )
    if not given:
        return {}
    body = values[given[0]]
    return {"body_kind": given[0], "body": body[0] if given[0] == "json" else body}


def target_of(place: Place, values: dict[str, Any], what: str) -> tuple[str, str, Source]:
    """The method in lower case, the service and the path of a request.

    Args:
        what: what has the target, in messages.

    Raises:
        ConfigError: there is not exactly one target.
    """
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
