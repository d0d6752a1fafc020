"""Strict decoding: readers turn nodes into values, and have the JSON Schema of what they accept.

A reader raises ConfigError; those of lists and mappings collect the problems of all parts, so that
one run reports everything. A key of the configuration is one entry of a `table`.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import partial
from typing import Any, Final

from bff.declare.key_suggestions import suggest_key
from bff.declare.load import Node, core_scalar, is_reference
from bff.errors import ConfigError
from bff.model.problem import Problem, did_you_mean
from bff.model.source import Place, Source
from bff.plan.problems import collect_problems

Schema = dict[str, Any]
_KINDS: Final[Mapping[type, str]] = {
    dict: "a mapping",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "nothing",
}
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE: Final = re.compile(r"(\d+)(B|KB|MB)")
_PERCENT: Final = re.compile(r"(\d{1,3})%")
_WHOLE: Final = 100
_BYTES: Final = {"B": 1, "KB": 1024, "MB": 1024 * 1024}


@dataclass(frozen=True, slots=True)
class Reader:
    """Decodes one kind of value by `read`, which raises ConfigError; has its JSON Schema."""

    read: Callable[[Node], Any]
    schema: Schema = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    Args:
        reader: decodes its value.
        about: its description, which editors show.
        default: its value where it is absent; None for no value.
    """

    reader: Reader
    about: str
    default: Any = None
    required: bool = False


def wrong(rule: str, place: Place, message: str, hint: str = "") -> ConfigError:
    """An error with one problem; `rule` is an id of `bff.declare.rules`."""
    return ConfigError([Problem(rule, place, message, hint)])


def _expect(node: Node, kinds: tuple[type, ...], what: str, hint: str = "") -> Any:
    value = node.value
    if str not in kinds and isinstance(value, str) and is_reference(node.written):
        value = core_scalar(value)  # `${NAME}` must be quoted within braces, so it is a text here
    if isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds):
        return value
    if isinstance(value, dict) and str in kinds:
        inner = ", ".join(value)
        hint = f'a text with braces needs quotes: "{{{inner}}}"'
    raise wrong(
        "wrong-type", node.place, f"{what} is expected here, this is {_KINDS[type(value)]}", hint
    )


def text(pattern: str = "", what: str = "a text", hint: str = "") -> Reader:
    """A text that matches a pattern as a whole; `what` names it in messages."""
    form = re.compile(pattern)

    def read(node: Node) -> str:
        value: str = _expect(node, (str,), what)
        if pattern and not form.fullmatch(value):
            raise wrong("wrong-value", node.place, f"`{node.written}` is not {what}", hint)
        return value

    schema: Schema = {"type": "string"}
    return Reader(read, schema | {"pattern": f"^(?:{pattern})$"} if pattern else schema)


def source(what: str = "an expression") -> Reader:
    """A text with its place: an expression or a template."""

    def read(node: Node) -> Source:
        return _source(node, _expect(node, (str,), what))

    return Reader(read, {"type": "string"})


def _source(node: Node, text: str) -> Source:
    return Source(node.template or text, node.place, node.written)


def one_of(*words: str) -> Reader:
    """One of the given words."""

    def read(node: Node) -> str:
        value: str = _expect(node, (str,), f"one of {', '.join(words)}")
        if value not in words:
            hint = did_you_mean(value, words) if value == node.written else ""
            raise wrong(
                "wrong-value",
                node.place,
                f"`{node.written}` is not one of {', '.join(words)}",
                hint,
            )
        return value

    return Reader(read, {"enum": list(words)})


def integer(minimum: int, maximum: int) -> Reader:
    """A whole number within bounds."""

    def read(node: Node) -> int:
        value: int = _expect(node, (int,), "a whole number")
        if not minimum <= value <= maximum:
            raise wrong(
                "wrong-value", node.place, f"{node.written} is not between {minimum} and {maximum}"
            )
        return value

    return Reader(read, {"type": "integer", "minimum": minimum, "maximum": maximum})


def _measure(form: re.Pattern[str], units: Mapping[str, float], what: str) -> Reader:
    def read(node: Node) -> float:
        _expect(node, (str, int, float), what)
        found = form.fullmatch(node.raw)
        if not found:
            hint = f"units: {', '.join(units)}"
            raise wrong("wrong-value", node.place, f"`{node.written}` is not {what}", hint)
        measure = float(found[1]) * units[found[2]]
        if measure <= 0:
            raise wrong("wrong-value", node.place, f"`{node.written}` must be greater than zero")
        return measure

    return Reader(read, {"type": "string", "pattern": f"^{form.pattern}$"})


def _plain(what: str, *kinds: type) -> Reader:
    schema: Schema = {"type": "boolean" if bool in kinds else "number"}
    return Reader(lambda node: _expect(node, kinds, what), schema)


def _percent(node: Node) -> float:
    value = _expect(node, (str,), "a share such as 50%")
    found = _PERCENT.fullmatch(value)
    if not found or not 0 < int(found[1]) <= _WHOLE:
        raise wrong("wrong-value", node.place, f"`{node.written}` is not a share such as 50%")
    return int(found[1]) / _WHOLE


PERCENT: Final = Reader(_percent, {"type": "string", "pattern": f"^{_PERCENT.pattern}$"})
FLAG: Final = _plain("true or false", bool)
NUMBER: Final = _plain("a number", int, float)
DURATION: Final = _measure(_DURATION, _SECONDS, "a duration such as 800ms or 2s")
_SIZE_READER: Final = _measure(_SIZE, _BYTES, "a size such as 64KB or 8MB")
SIZE: Final = Reader(lambda node: int(_SIZE_READER.read(node)), _SIZE_READER.schema)
CONSTANT: Final = Reader(lambda node: node.plain, {})


def _tree(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _tree(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [_tree(item) for item in node.value]
    return _source(node, node.value) if isinstance(node.value, str) else node.value


TREE: Final = Reader(_tree, {})  # any value; its texts are `Source`


def list_of(element: Reader, *, or_one: bool = False) -> Reader:
    """A list; with `or_one` a single element is accepted as a list of one."""

    def read(node: Node) -> tuple[Any, ...]:
        if or_one and not isinstance(node.value, list):
            return (element.read(node),)
        hint = "write each entry after a dash: `- …`" if isinstance(node.value, dict) else ""
        nodes = _expect(node, (list,), "a list", hint or "write it in brackets: `[…]`")
        return tuple(collect_problems([partial(element.read, item) for item in nodes]))

    schema: Schema = {"type": "array", "items": element.schema}
    return Reader(read, {"anyOf": [element.schema, schema]} if or_one else schema)


def map_of(value: Reader, key: Reader | None = None) -> Reader:
    """A mapping of arbitrary keys, which `key` decodes; any text if None."""

    def pair(seen: set[Any], name: Node, node: Node) -> tuple[Any, Any]:
        own = key.read(name) if key else name.raw
        if own in seen:
            raise wrong("taken-name", name.place, f"duplicate name `{own}`")
        seen.add(own)
        return own, value.read(node)

    def read(node: Node) -> dict[Any, Any]:
        nodes = _expect(node, (dict,), "a mapping", "names with their values: `{name: …}`")
        keys, seen = node.keys or {}, set[Any]()
        return dict(
            collect_problems(
                [partial(pair, seen, keys[name], child) for name, child in nodes.items()]
            )
        )

    return Reader(read, {"type": "object", "additionalProperties": value.schema})


def with_defaults(
    keys: Mapping[str, Key], model: type, absent: Collection[str] = ()
) -> Mapping[str, Key]:
    """The keys of a table with the defaults that the model has for fields of their names.

    Args:
        absent: keys that have no value where they are not declared.

    Raises:
        TypeError: a key has a default that the model has as well; defaults are in the model only.
    """
    found = dict(keys)
    for declared in fields(model):
        has_none = declared.default is MISSING and declared.default_factory is MISSING
        if has_none or declared.name not in keys or declared.name in absent:
            continue
        if keys[declared.name].default is not None:
            raise TypeError(f"the default of `{declared.name}` is declared twice")
        made = (
            declared.default if declared.default_factory is MISSING else declared.default_factory()
        )
        found[declared.name] = replace(keys[declared.name], default=made)
    return found


def table(
    make: Callable[[Place, dict[str, Any]], Any],
    keys: Mapping[str, Key],
    what: str,
    model: type | None = None,
    absent: Collection[str] = (),
) -> Reader:
    """A mapping with known keys.

    Args:
        make: makes the value from the place and the values by key; may raise ConfigError.
        what: what the mapping declares, in messages.
        model: the dataclass whose defaults the keys have; see `with_defaults`.
        absent: keys that have no value where they are not declared.
    """
    keys = with_defaults(keys, model, absent) if model else keys
    properties = {
        name: {**key.reader.schema, "description": key.about} for name, key in keys.items()
    }
    required = [name for name, key in keys.items() if key.required]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}

    def value(name: str, key: Key, nodes: Mapping[str, Node], place: Place) -> tuple[str, Any]:
        if name in nodes:
            return name, key.reader.read(nodes[name])
        if key.required:
            raise wrong("missing-key", place, f"{what} needs `{name}`", key.about)
        return name, key.default

    def unknown(name: str, place: Place) -> None:
        before, colon, _ = name.partition(":")
        hint = f"a blank follows the colon: `{before}: …`" if colon else ""
        hint = hint or suggest_key(name, keys) or did_you_mean(name, keys)
        raise wrong("unknown-key", place, f"{what} has no key `{name}`", hint)

    def read(node: Node) -> Any:
        first = next((name for name, key in keys.items() if key.required), next(iter(keys)))
        hint = "" if isinstance(node.value, list) else f"such as `{{{first}: …}}`"
        nodes = _expect(node, (dict,), f"{what}, a mapping,", hint)
        places = node.keys or {}
        unknown_keys = [
            partial(unknown, name, places[name].place) for name in nodes if name not in keys
        ]
        known_keys = [partial(value, name, key, nodes, node.place) for name, key in keys.items()]
        pairs = collect_problems([*unknown_keys, *known_keys])
        place = replace(node.place, keys={name: key.place for name, key in places.items()})
        return make(place, {name: given for name, given in pairs if given is not None})

    return Reader(read, schema | ({"required": required} if required else {}))
