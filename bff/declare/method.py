"""Keys of a view that depend on its method: a get changes nothing (RFC 9110, section 9.2.1)."""

from typing import Any

from bff.declare.read import wrong
from bff.model.source import Place


def check_method(place: Place, method: str, values: dict[str, Any]) -> None:
    """Refuse what a get cannot have, and what only a get can."""
    if "cache" in values and method != "get":
        raise wrong("key-conflict", values["cache"].place, f"the answer to a {method} is not kept")
    if values["invalidates"] and method == "get":
        place = values["invalidates"][0].place
        raise wrong("key-conflict", place, "a get changes nothing, so it invalidates nothing")
    if method == "get" and (values["refresh"] or values["idempotency"] == "required"):
        raise wrong(
            "key-conflict",
            place.of("refresh", "idempotency"),
            "a get changes nothing: it has neither `refresh` nor `idempotency`",
        )
    if values["sparse"] and (method != "get" or "shape_with" in values):
        raise wrong("key-conflict", place.of("sparse"), "only a get with a shape can be `sparse`")
    if values["sparse"] and "fields" in values["params"]:
        raise wrong(
            "key-conflict",
            place.of("sparse", "fields"),
            "a `sparse` view has a parameter `fields` already",
        )
    if values["refresh"] and values["answer"] in {204, 205}:
        raise wrong(
            "key-conflict",
            place.of("refresh"),
            "an answer without content has no room for what is refreshed",
        )
