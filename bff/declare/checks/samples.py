"""Sample values for evaluating expressions at load: calls are null, all other names have values."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from bff.model.view import Call, Param, View
from bff.plan.dependencies import Reads

_TEXT: Final = "2027-01-31"  # valid for text functions, and for date functions
_OF_TYPES: Final[Mapping[str, Any]] = {
    "string": _TEXT,
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": [],
}
_KNOWN: Final = frozenset({"params", "session", "frontend", "locale", "null"})
_UNKNOWN: Final = frozenset({("session",), ("session", "claims")})


def scope_without_calls(view: View, frontend: str) -> dict[str, Any]:
    """The names of a view with sample values; every call is null."""
    return dict.fromkeys(call.name for call in view.calls) | {
        "params": {param.name: sample(param) for param in view.params},
        "session": {"sub": _TEXT, "claims": {}, "signed_in": True, "visitor": _TEXT},
        "frontend": frontend,
        "locale": "en",
        "body": _of_schema(view.body),
        "headers": {},
        "services": {},
    }


def is_sampled(found: Reads, calls: Collection[str]) -> bool:
    """True if all that is read, besides `calls`, has a typical value; claims and bodies vary."""
    return found.roots <= _KNOWN.union(calls) and not any(
        path[:2] in _UNKNOWN for path in found.all
    )


def sample(param: Param) -> Any:
    """A sample value of a parameter; None where it may be missing."""
    if param.default is not None:
        return param.default
    if not param.required:
        return None
    return param.enum[0] if param.enum and param.type != "array" else _OF_TYPES.get(param.type)


def substitutes(call: Call) -> Iterator[tuple[str, Any]]:
    """The values that a call has without a reply of its own, but for null, and what each is of."""
    if call.each:
        return  # they are what single items get; the list itself is always there
    turned = call.pages is not None and bool(call.pages.param)
    for status, value in call.statuses.items():
        if value is not None:
            yield f"status {status}", {"items": value, "next": None} if turned else value
    if call.rung == "fallback" and call.fallback is not None:
        yield "its fallback", call.fallback


def _of_schema(schema: Any) -> Any:
    """The smallest value that a JSON Schema accepts; None where its `type` is not known."""
    if not isinstance(schema, Mapping):
        return None
    if schema.get("type") != "object":
        return _OF_TYPES.get(str(schema.get("type")))
    properties = schema.get("properties", {})
    return {name: _of_schema(properties.get(name)) for name in schema.get("required", [])}
