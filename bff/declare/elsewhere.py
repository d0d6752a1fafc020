"""Keys of OpenAPI, of other gateways and of programming languages, and what to write instead."""

from collections.abc import Collection, Mapping
from typing import Final

_ROUTE: Final = ("get", "`get: /home`: a method with its route")
_ACCESS: Final = ("access", "`access: signed_in`, `require: {scope: …, claims: …}`")
_FALLBACK: Final = ("fallback", "`fallback: []`, or `optional: true` for a null")
_COMMENT: Final = ("", "a comment: `# …`")
_REQUIRED: Final = ("required", "`required: false`")

# by their names in small letters without `_` and `-`: the key that means it, and how it is written;
# the first whose key the mapping has
_MEANT: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
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
        (("after", "a call waits for what its expressions read; for others by `after`"),),
    ),
    **dict.fromkeys(
        ("foreach", "loop", "for", "map", "repeat", "withitems"), (("each", "`each: orders[]`"),)
    ),
    **dict.fromkeys(
        ("timeoutms", "timeoutseconds", "deadline"), (("timeout", "`timeout: 800ms`"),)
    ),
    "ttl": (("cache", "`cache: {ttl: 1m}`"),),
    **dict.fromkeys(("optional", "nullable"), (_REQUIRED,)),
    "schema": (("enum", "its keys stand beside the name: `page: {type: integer}`"),),
    "in": (("enum", "a name in the route is of the path, every other of the query"),),
    **dict.fromkeys(("description", "summary", "example", "examples"), (_COMMENT,)),
    "status": (("answer", "`answer: 201`"),),
    **dict.fromkeys(("message", "detail", "error"), (("title", "`title: No such order`"),)),
}


def meant(name: str, keys: Collection[str]) -> str:
    """What a key that a mapping does not have was meant to be; empty if that is not known.

    Args:
        keys: those that the mapping has.
    """
    if name.lower() in keys:
        return f"in small letters: `{name.lower()}`"
    plain = name.lower().replace("_", "").replace("-", "")
    found = _MEANT.get(plain, ())
    return next((shown for key, shown in found if not key or key in keys), "")
