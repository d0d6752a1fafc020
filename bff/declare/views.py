"""Reader of views, the files of `views/`."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any, Final

from bff.declare.body_schema import SCHEMA
from bff.declare.caching import VIEW_CACHE
from bff.declare.calls import call_reader
from bff.declare.load import LoadResult, Node
from bff.declare.method import check_method
from bff.declare.pages import check_params_of_pages
from bff.declare.params import PARAM
from bff.declare.read import (
    DURATION,
    FLAG,
    SIZE,
    TREE,
    Key,
    Reader,
    Schema,
    integer,
    list_of,
    map_of,
    one_of,
    source,
    table,
    text,
    wrong,
)
from bff.declare.readers import FIELD, FRONTEND_NAME, NAME
from bff.declare.requirement import ACCESS_KEYS
from bff.declare.route import ROUTE, path_variables
from bff.declare.stream import OF_STREAMS, check_stream
from bff.declare.values import VALUES, check_values
from bff.model.source import Place, Source
from bff.model.view import RESERVE, Call, Param, Refusal, View
from bff.plan.names import RESERVED

VIEW_METHODS: Final = ("get", "post", "put", "patch", "delete")
_ABSENT: Final = ("params", "reserve", *OF_STREAMS)
_ONLY_CALL: Final = "call"
_RESERVED_NAMES: Final = RESERVED | {"shape", "item", "null", "true", "false"}
_SHARE: Final = 0.1


def _day(node: Node) -> int:
    try:
        day = date.fromisoformat(str(node.raw))
    except ValueError:
        raise wrong(
            "wrong-value", node.place, f"`{node.written}` is not a date", "such as 2027-01-31"
        ) from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _answer(node: Node) -> int | str:
    reader = integer(200, 299) if isinstance(node.value, int) else NAME
    status: int | str = reader.read(node)
    return status


DAY: Final = Reader(_day, {"type": "string", "format": "date"})
ANSWER: Final = Reader(_answer, {"type": ["integer", "string"]})
REFUSAL: Final = table(
    lambda _, values: Refusal(**values),
    {
        "when": Key(
            source(), "Condition: the request is refused where this is true.", required=True
        ),
        "status": Key(integer(400, 499), "The status of the error response.", required=True),
        "title": Key(text(), "The `title` of the problem details (RFC 9457).", required=True),
    },
    "a refusal",
)


def view_keys(shared: Mapping[str, LoadResult]) -> dict[str, Key]:
    """The keys of a view; `use` of its calls may name those of `shared`."""
    call = call_reader(shared)
    return {
        **{
            method: Key(ROUTE, f"Answers {method.upper()} at this route below each prefix.")
            for method in VIEW_METHODS
        },
        "version": Key(
            integer(1, 99), "Version of the view; above 1 it is a segment of the route: /v2."
        ),
        "deprecated": Key(
            DAY, "Deprecation date: clients should use another view from then on (RFC 9745)."
        ),
        "sunset": Key(DAY, "Sunset date: when the view will be removed (RFC 8594)."),
        "body": Key(SCHEMA, "The JSON Schema (2020-12) of the request body."),
        "max_body": Key(SIZE, "Maximum size of a request body; default 1MB."),
        "answer": Key(
            ANSWER,
            "Status of the answer, or the name of the call whose status is used; default 200.",
        ),
        "refuse": Key(list_of(REFUSAL), "Conditions under which a request is refused with a 4xx."),
        "require_any": Key(list_of(source()), "Calls of which at least one must succeed."),
        "omit_null": Key(FLAG, "Fields that are null are omitted from objects."),
        "shape_with": Key(source(), "The `package.module:function` that returns the answer."),
        "frontends": Key(list_of(FRONTEND_NAME), "Frontends that serve it; all by default."),
        **ACCESS_KEYS,
        "timeout": Key(DURATION, "Deadline of the whole answer; default 5s."),
        "reserve": Key(
            DURATION, "Part of the timeout that is reserved for making the answer of the replies."
        ),
        "params": Key(map_of(PARAM, FIELD), "Parameters of path and query.", {}),
        "values": VALUES,
        "strict": Key(FLAG, "Undeclared query parameters are a 400."),
        "calls": Key(map_of(call, NAME), "Calls to services, by name."),
        "call": Key(call, "The only call; its name is `call`."),
        "shape": Key(TREE, "The answer: a tree of expressions."),
        "shapes": Key(map_of(TREE, FRONTEND_NAME), "Shapes by frontend, which replace `shape`."),
        "max_calls": Key(
            integer(1, 10_000), "Maximum number of upstream requests of one answer; default 200."
        ),
        "max_bytes": Key(SIZE, "Maximum size of all replies of one answer together; default 32MB."),
        "cache": Key(VIEW_CACHE, "Caching of its answers."),
        "invalidates": Key(
            list_of(source("a tag")),
            "Templates of cache tags that are invalidated after it has succeeded.",
        ),
        **OF_STREAMS,
        "sparse": Key(FLAG, "Clients may select fields of the answer by `?fields=`."),
        "refresh": Key(
            list_of(NAME), "Views whose fresh answers are included in the response of a write."
        ),
        "idempotency": Key(
            one_of("honoured", "required"), "Whether an Idempotency-Key is optional or required."
        ),
    }


def view_reader(
    shared: Mapping[str, LoadResult], frontends: Mapping[str, Any]
) -> Callable[..., View]:
    """A function that decodes a view from its name and node.

    Args:
        shared: the calls of `calls/`, by name.
        frontends: the declared frontends, by name.
    """

    def read(name: str, node: Node) -> View:
        def make(place: Place, values: dict[str, Any]) -> View:
            return _view(name, place, values, frontends)

        view: View = table(make, view_keys(shared), "a view", View, absent=_ABSENT).read(node)
        return view

    return read


def view_schema() -> Schema:
    """The JSON Schema of a view."""
    schema: Schema = table(lambda _, values: values, view_keys({}), "a view").schema
    return schema


def _view(name: str, place: Place, values: dict[str, Any], frontends: Mapping[str, Any]) -> View:
    served_by = values.get("frontends") or tuple(frontends)
    methods = [method for method in VIEW_METHODS if method in values]
    if len(methods) != 1:
        hint = "one of get, post, put, patch, delete: `get: /home`"
        raise wrong(
            "missing-key",
            place.of(*methods[1:]),
            f"a view needs one route, this has {len(methods) or 'none'}",
            hint,
        )
    route: Source = values[methods[0]]
    if "body" in values and methods[0] in {"get", "delete"}:
        raise wrong(
            "key-conflict",
            place.of("body"),
            f"a `{methods[0]}` has no body",
            "use post, put or patch",
        )
    if values.get("sunset", math.inf) < values.get("deprecated", -math.inf):
        raise wrong(
            "key-conflict",
            place.of("sunset"),
            "`sunset` is before `deprecated`",
        )
    if "shape_with" in values and ("shape" in values or values["shapes"]):
        raise wrong(
            "key-conflict",
            place.of("shape_with"),
            "a view has either a `shape` or `shape_with`",
        )
    check_method(place, methods[0], values)
    calls, params = _calls(place, values), _params(route, values["params"])
    check_values(values["values"], calls, params, _RESERVED_NAMES)
    check_params_of_pages(calls, params, methods[0], sparse=values["sparse"])
    view = View(
        name=name,
        place=place,
        path=route.text,
        frontends=served_by,
        calls=calls,
        params=params,
        access=values.get("access"),
        require=values.get("require"),
        csrf=values["csrf"],
        shape=values.get("shape"),
        shapes=values["shapes"],
        timeout=values["timeout"],
        reserve=_reserve(place, values),
        max_calls=values["max_calls"],
        max_bytes=values["max_bytes"],
        strict=values["strict"],
        values=values["values"],
        method=methods[0].upper(),
        version=values["version"],
        deprecated=values.get("deprecated"),
        sunset=values.get("sunset"),
        body=values.get("body"),
        max_body=values["max_body"],
        answer=values["answer"],
        shape_with=values.get("shape_with"),
        omit_null=values["omit_null"],
        require_any=values["require_any"],
        refuse=values["refuse"],
        cache=values.get("cache"),
        invalidates=values["invalidates"],
        refresh=values["refresh"],
        sparse=values["sparse"],
        idempotency=values["idempotency"],
        **{name: values[name] for name in OF_STREAMS if name in values},
    )
    check_stream(view, values)
    return view


def _reserve(place: Place, values: dict[str, Any]) -> float:
    timeout: float = values["timeout"]
    reserve: float = values.get("reserve", min(RESERVE, timeout * _SHARE))
    if reserve >= timeout:
        raise wrong(
            "wrong-value",
            place.of("reserve", "timeout"),
            "`reserve` leaves nothing of the `timeout` for the calls",
        )
    return reserve


def _calls(place: Place, values: dict[str, Any]) -> tuple[Call, ...]:
    if ("calls" in values) == ("call" in values):
        raise wrong(
            "key-conflict", place.of("calls", "call"), "a view has either `calls` or `call`"
        )
    if "call" in values:
        return (replace(values["call"], name=_ONLY_CALL),)
    calls: dict[str, Call] = values["calls"]
    if not calls:
        raise wrong("missing-key", place.of("calls"), "a view needs at least one call")
    for name, call in calls.items():
        if name in _RESERVED_NAMES:
            raise wrong(
                "taken-name",
                call.place,
                f"a call cannot be called `{name}`: the name is reserved",
            )
        for item, over in call.each.over if call.each else ():
            if item in calls or (item in _RESERVED_NAMES and item != "item"):
                raise wrong(
                    "taken-name",
                    over.place,
                    f"an item cannot be called `{item}`: the name is taken",
                )
    return tuple(replace(call, name=name) for name, call in calls.items())


def _params(route: Source, declared: dict[str, Param]) -> tuple[Param, ...]:
    variables = path_variables(route.text)
    params = {name: Param(name, route.place, "path") for name in variables}
    for name, param in declared.items():
        if name not in params:
            params[name] = replace(param, name=name)
        elif param.type == "array" or param.default is not None:
            raise wrong(
                "key-conflict",
                param.place,
                f"`{name}` is in the path: it is a single value without a default",
            )
        else:
            params[name] = replace(param, name=name, where="path", required=True)
    return tuple(params.values())
