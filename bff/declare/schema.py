"""The JSON Schema (draft-07) of the configuration files, composed from those of the readers."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from bff.declare.calls import call_reader
from bff.declare.config import ROOT
from bff.declare.read import Schema
from bff.declare.relays import relay_schema
from bff.declare.request_keys import METHODS
from bff.declare.views import VIEW_METHODS, view_schema

_DRAFT: Final = "http://json-schema.org/draft-07/schema#"
_REFERENCE: Final = {"type": "string", "pattern": r"^.*\$\{.+\}.*$"}  # stands for any scalar


def _root() -> Schema:
    return ROOT.schema


def _call() -> Schema:
    targets = [{"required": [key]} for key in (*METHODS, "batch", "follow", "use")]
    return call_reader({}).schema | {"anyOf": targets}


def _view() -> Schema:
    return view_schema() | {"oneOf": [{"required": [method]} for method in VIEW_METHODS]}


FILES: Final[Mapping[str, tuple[str, Callable[[], Schema]]]] = {
    "bff": ("bff.yaml: hosts, frontends, services", _root),
    "view": ("views/*.yaml: one view", _view),
    "relay": ("relays/*.yaml: one relay", relay_schema),
    "call": ("calls/*.yaml: one shared call", _call),
}


def schema_of(name: str) -> dict[str, Any]:
    """The schema of one kind of file, by its name in `FILES`."""
    title, make = FILES[name]
    return {"$schema": _DRAFT, "title": title, **_with_references(make())}


def _with_references(schema: Any) -> Any:
    """The same schema, in which numbers, durations and words may also be `${NAME}`."""
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: {name: _with_references(value_schema) for name, value_schema in value.items()}
        if key == "properties"
        else _with_references(value)
        if key in {"items", "additionalProperties", "anyOf"}
        else value
        for key, value in schema.items()
    }
    kind = schema.get("type")
    if kind in ("integer", "number", "boolean") or "enum" in schema or "pattern" in schema:
        about = {"description": inner.pop("description")} if "description" in inner else {}
        return {"anyOf": [inner, _REFERENCE], **about}
    return inner
