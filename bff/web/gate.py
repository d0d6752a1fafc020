"""What every request passes first: it gets an id, and its Host must be one of ours."""

import re
from collections.abc import Collection
from secrets import token_hex
from typing import Final

from flask import Flask, Response, g, request

from bff.web.problem import problem

_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_PORT: Final = re.compile(r":\d+$")
ANY_HOST: Final = frozenset({"/livez", "/readyz"})  # asked by address, and they say nothing


def guard(app: Flask, hosts: Collection[str]) -> None:
    """Install the checks; `hosts` are names without a port, in lower case."""

    def check() -> Response | None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _ID.fullmatch(given) else token_hex(16)
        host = _PORT.sub("", request.headers.get("Host", "").lower())
        if host not in hosts and request.path not in ANY_HOST:
            return problem(421, "this host name is not served here")
        return None

    def label(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    app.before_request(check)
    app.after_request(label)
