"""Functions that golden files name: `tests.golden_functions:totals`."""

from typing import Any

from bff import reads


@reads("orders", "session.sub")
def totals(given: dict[str, Any]) -> dict[str, Any]:
    """An answer that JMESPath could not make."""
    sums: dict[str, int] = {}
    for order in given["orders"] or []:
        sums[order["currency"]] = sums.get(order["currency"], 0) + order["cents"]
    return {"of": given["session"]["sub"], "sums": dict(sorted(sums.items())), "none": None}


@reads("body.lines", "cart")
def order(given: dict[str, Any]) -> dict[str, Any]:
    """A request body that a template could not make."""
    lines = given["body"]["lines"]
    return {"cart": given["cart"]["id"], "lines": lines, "count": sum(each["n"] for each in lines)}


@reads("orders")
def beyond(given: dict[str, Any]) -> Any:
    """Touches what it does not say that it reads."""
    return given["session"]


@reads()
def broken(_given: dict[str, Any]) -> Any:
    """Raises with somebody's data in its message."""
    raise ValueError("S3CRET of somebody")


@reads()
def no_json(_given: dict[str, Any]) -> Any:
    """Makes what JSON cannot hold."""
    return {1, 2}


def everything(given: dict[str, Any]) -> Any:
    """Does not say what it reads, and may read all."""
    return {"orders": given["orders"], "who": given["session"]["sub"]}
