"""Decodes the parameters in the path and query of a request to their declared types."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import request

from bff.errors import RequestRefused
from bff.model.view import View
from bff.plan.parameters import BadValue, decode
from bff.web.text import broken_parameters


def bad_parameters(
    errors: Sequence[Mapping[str, str]], what: str = "parameters are not as declared"
) -> RequestRefused:
    """The error of a request with invalid parameters.

    Args:
        errors: an entry for each parameter.
    """
    names = ", ".join(error["parameter"] for error in errors)
    return RequestRefused(400, f"{what}: {names}", errors)


def parameters(view: View, variables: Mapping[str, str]) -> dict[str, Any]:
    """The values of a view's parameters, by name.

    Args:
        variables: those of the path.

    Raises:
        RequestRefused: 400, as some are not as declared.
    """
    broken = broken_parameters(request.query_string)
    if broken:
        raise bad_parameters(
            [{"parameter": name, "in": "query", "detail": "is not UTF-8"} for name in broken]
        )
    values: dict[str, Any] = {}
    errors = []
    for param in view.params:
        in_path = param.where == "path"
        given = [variables[param.name]] if in_path else request.args.getlist(param.name)
        try:
            values[param.name] = decode(param, given)
        except BadValue as bad:
            errors.append({"parameter": param.name, "in": param.where, "detail": str(bad)})
    if view.strict:
        known = {param.name for param in view.params if param.where == "query"}
        known |= {"fields"} if view.sparse else set()
        known |= {call.pages.param for call in view.calls if call.pages}
        errors += [
            {"parameter": name, "in": "query", "detail": "is not declared"}
            for name in request.args
            if name not in known
        ]
    if errors:
        raise bad_parameters(errors)
    return values
