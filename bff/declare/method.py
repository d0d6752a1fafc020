"""Checks of the keys of a view that depend on its method: GET is safe (RFC 9110, section 9.2.1)."""

from typing import Any

from bff.declare.read import wrong
from bff.model.source import Place


def check_method(place: Place, method: str, values: dict[str, Any]) -> None:
    """Reject keys that the method of a view excludes.

    Args:
        method: in lower case, as the key of the route.
        values: the keys of the view.

    Raises:
        ConfigError: for the first of them.
    """
    if "cache" in values and method != "get":
        raise wrong(
            "key-conflict",
            values["cache"].place,
            f"`cache` is for `get`, and this view is a `{method}`",
        )
    if values["invalidates"] and method == "get":
        place = values["invalidates"][0].place
        raise wrong("key-conflict", place, "a `get` is read-only: it has no `invalidates`")
    if method == "get" and (values["refresh"] or values["idempotency"] == "required"):
        raise wrong(
            "key-conflict",
            place.of("refresh", "idempotency"),
            "a `get` is read-only: it has neither `refresh` nor `idempotency`",
        )
    if values["sparse"] and (method != "get" or "shape_with" in values):
        raise wrong(
            "key-conflict", place.of("sparse"), "only a `get` with a `shape` can be `sparse`"
        )
    if values["sparse"] and "fields" in values["params"]:
        raise wrong(
            "key-conflict",
            place.of("sparse", "fields"),
            "the parameter `fields` is reserved in a `sparse` view",
        )
    if values["refresh"] and values["answer"] in {204, 205}:
        raise wrong(
            "key-conflict",
            place.of("refresh"),
            "a 204 or 205 has no body, so `refresh` has no effect",
        )
