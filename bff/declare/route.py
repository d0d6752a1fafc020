"""Reader of the route of a view: literal segments, and path parameters in braces."""

import re
from typing import Final

from bff.declare.load import Node
from bff.declare.read import Reader, source, wrong
from bff.model.source import Source

_SEGMENT: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}|[A-Za-z0-9._~-]+")


def _route(node: Node) -> Source:
    written: Source = source("a route").read(node)
    segments = written.text.removeprefix("/").split("/")
    if not written.text.startswith("/") or not all(map(_SEGMENT.fullmatch, segments)):
        hint = "such as `/orders/{id}`: each segment is text or one name in braces"
        raise wrong("route", node.place, f"`{written.shown}` is not a valid route", hint)
    if {".", ".."} & set(segments):
        raise wrong("route", node.place, f"the route `{written.shown}` has a dot segment")
    variables = path_variables(written.text)
    if len(set(variables)) < len(variables):
        raise wrong(
            "route", node.place, f"the route `{written.shown}` has the same path parameter twice"
        )
    return written


def path_variables(route: str) -> list[str]:
    """The names of the path parameters of a route, in order."""
    return [
        found[1]
        for segment in route.split("/")
        if (found := _SEGMENT.fullmatch(segment)) and found[1]
    ]


ROUTE: Final = Reader(_route, {"type": "string"})
