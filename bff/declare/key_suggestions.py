"""Suggestions for unknown keys: those of OpenAPI, other gateways and programming languages."""

from collections.abc import Collection, Mapping
from typing import Final

_ROUTE: Final = ("get", "`get: /home`: a method with its route")
_ACCESS: Final = ("access", "`access: signed_in`, `require: {scope: …, claims: …}`")
_FALLBACK: Final = ("fallback", "`fallback: []`, or `optional: true` for a null")
_COMMENT: Final = ("", "a comment: `# …`")
_REQUIRED: Final = ("required", "`required: false`")

# By name in lower case without `_` and `-`: candidates, each a key and how it is written. The first
# whose key the mapping has is suggested.
_SUGGESTIONS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    **dict.fromkeys(
        ("path", "route", "url", "uri", "endpoint", "method"),
        (("version", _ROUTE[1]), ("get", "`get: users:/users`: a method, a service and a path")),
    ),
    **dict.fromkeys(("auth", "authentication", "security", "roles", "scopes"), (_ACCESS,)),
    **dict.fromkeys(
        ("params", "parameters", "args", "queryparams", "search"),
        (("params", "`params: {page: {type: integer}}`"), ("query", '`query: {a: "{params.a}"}`')),
    ),
    "query": (("params", "`params: {page: {type: integer}}`"),),
    **dict.fromkeys(
        ("response", "output", "result", "returns", "reply", "fields"),
        (("shape", "`shape: {name: user.name}`"),),
    ),
    **dict.fromkeys(
        ("body", "data", "payload"), (("json", '`json: {a: "{body.a}"}`, `form` or `multipart`'),)
    ),
    **dict.fromkeys(("default", "onerror", "catch", "else", "ifmissing"), (_FALLBACK,)),
    **dict.fromkeys(
        ("if", "condition", "onlyif", "unless"), (("when", "`when: session.signed_in`"),)
    ),
    **dict.fromkeys(
        ("dependson", "needs", "requires", "waitfor"),
        (("after", "a call waits for the calls that its expressions read; `after` adds others"),),
    ),
    **dict.fromkeys(
        ("foreach", "loop", "for", "map", "repeat", "withitems"), (("each", "`each: orders[]`"),)
    ),
    **dict.fromkeys(
        ("timeoutms", "timeoutseconds", "deadline"), (("timeout", "`timeout: 800ms`"),)
    ),
    "ttl": (("cache", "`cache: {ttl: 1m}`"),),
    **dict.fromkeys(("optional", "nullable"), (_REQUIRED,)),
    "schema": (("enum", "its keys are directly below the name: `page: {type: integer}`"),),
    "in": (("enum", "a parameter in the route is of the path, all others are of the query"),),
    **dict.fromkeys(("description", "summary", "example", "examples"), (_COMMENT,)),
    "status": (("answer", "`answer: 201`"),),
    **dict.fromkeys(("message", "detail", "error"), (("title", "`title: No such order`"),)),
}


def suggest_key(name: str, keys: Collection[str]) -> str:
    """The hint for an unknown key of a mapping; empty if there is no suggestion.

    Args:
        keys: those that the mapping knows.
    """
    if name.lower() in keys:
        return f"in lower case: `{name.lower()}`"
    plain = name.lower().replace("_", "").replace("-", "")
    found = _SUGGESTIONS.get(plain, ())
    return next((shown for key, shown in found if not key or key in keys), "")
