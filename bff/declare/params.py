"""Readers of `params`: parameters of views, with keywords of JSON Schema."""

import re
from dataclasses import replace
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import (
    CONSTANT,
    FLAG,
    NUMBER,
    Key,
    Reader,
    integer,
    list_of,
    one_of,
    source,
    table,
    wrong,
)
from bff.model.source import Place, Source
from bff.model.view import Param
from bff.plan.parameters import BadValue, ends_at_end, validate

_COUNT: Final = integer(0, 1_000_000)
_SCALARS: Final = ("string", "integer", "number", "boolean")


def _pattern(node: Node) -> str:
    value: Source = source("a regular expression").read(node)
    try:
        re.compile(value.text)
    except re.error as error:
        raise wrong(
            "wrong-value", node.place, f"`{value.shown}` is not a regular expression: {error}"
        ) from None
    return ends_at_end(value.text)


def _multiple(node: Node) -> float:
    value: float = NUMBER.read(node)
    if value <= 0:
        raise wrong(
            "wrong-value", node.place, f"`multipleOf` must be greater than 0, not {node.written}"
        )
    return value


_MULTIPLE: Final = Reader(_multiple, {"type": "number", "exclusiveMinimum": 0})
_KEYS: Final = {
    "type": Key(one_of(*_SCALARS), "The type of its value; default string.", "string"),
    "enum": Key(list_of(CONSTANT), "The allowed values.", ()),
    "minimum": Key(NUMBER, "The smallest allowed number."),
    "maximum": Key(NUMBER, "The largest allowed number."),
    "multipleOf": Key(_MULTIPLE, "The value must be a multiple of this number."),
    "minLength": Key(_COUNT, "Minimum number of characters."),
    "maxLength": Key(_COUNT, "Maximum number of characters."),
    "pattern": Key(
        Reader(_pattern, {"type": "string"}),
        "A regular expression that matches somewhere in the value.",
    ),
    "format": Key(
        one_of("date", "date-time", "email", "uuid"), "A format that the value must have."
    ),
}
_FIELDS: Final = {
    "multipleOf": "multiple_of",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
}


_BOUNDS: Final = (
    ("minimum", "maximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
)
_FOR_TEXT: Final = ("minLength", "maxLength", "pattern", "format")
_FOR_NUMBERS: Final = ("minimum", "maximum", "multipleOf")


def _check_bounds(place: Place, param: Param, values: dict[str, Any]) -> None:
    """Reject keys of another type, and bounds that no value satisfies.

    Raises:
        ConfigError: for the first of them.
    """
    foreign: tuple[str, ...] = ()
    if param.type in {"integer", "number", "boolean"}:
        foreign = _FOR_TEXT
    if param.type in {"string", "boolean"}:
        foreign += _FOR_NUMBERS
    for name in foreign:
        if name in values:
            wanted = "texts" if name in _FOR_TEXT else "numbers"
            message = f"`{name}` is for {wanted}, and this is `type: {param.type}`"
            raise wrong("key-conflict", place.of(name), message)
    for least, most in _BOUNDS:
        if least in values and most in values and values[least] > values[most]:
            message = f"`{least}` {values[least]} is more than `{most}` {values[most]}"
            raise wrong("wrong-value", place.of(least), message, "no value satisfies both")


def _param(place: Place, values: dict[str, Any]) -> Param:
    fields = {_FIELDS.get(name, name): value for name, value in values.items()}
    param = Param(name="", place=place, **fields)
    _check_bounds(place, param, values)
    own = replace(param, enum=())
    for value in param.enum:
        try:
            validate(own, [value] if own.type == "array" else value)
        except BadValue as error:
            raise wrong(
                "wrong-value", place.of("enum"), f"the `enum` has {value!r}, which {error}"
            ) from None
    return param


_ITEM_KEYS: Final = frozenset(
    {"minimum", "maximum", "multipleOf", "minLength", "maxLength", "pattern", "format"}
)
_ITEMS: Final = table(_param, _KEYS, "the items of a parameter")
PARAM_KEYS: Final = {
    **_KEYS,
    "type": Key(one_of(*_SCALARS, "array"), "The type of its value; default string.", "string"),
    "required": Key(FLAG, "A request must have it; true unless it has a default."),
    "default": Key(CONSTANT, "The value if a request does not have the parameter."),
    "items": Key(_ITEMS, "The type and bounds of the values of an array."),
    "minItems": Key(_COUNT, "Minimum number of values of an array."),
    "maxItems": Key(_COUNT, "Maximum number of values of an array."),
}


def _whole_param(place: Place, values: dict[str, Any]) -> Param:
    default = values.get("default")
    if values.get("required") and default is not None:
        raise wrong(
            "key-conflict", place.of("required"), "a parameter with a `default` is never `required`"
        )
    values.setdefault("required", default is None)
    if values["type"] != "array":
        for name in ("items", "minItems", "maxItems"):
            if name in values:
                raise wrong(
                    "key-conflict", place.of(name), f"`{name}` is for arrays", "add `type: array`"
                )
    else:
        for name in values.keys() & _ITEM_KEYS:
            raise wrong(
                "key-conflict",
                place.of(name),
                f"`{name}` is for single values",
                f"`items: {{{name}: …}}`",
            )
    param = _param(place, values)
    if default is not None:
        try:
            validate(param, default)
        except BadValue as error:
            raise wrong(
                "wrong-value",
                place.of("default"),
                f"the `default` is not an allowed value: {error}",
            ) from None
    return param


PARAM: Final = table(_whole_param, PARAM_KEYS, "a parameter")
