"""Which pages elsewhere may read our answers (Fetch, section 3.3): flask-cors, exact origins only.

flask-cors takes a string with a bracket for a regular expression, which it does not anchor, and
compares others by their folded case. So it gets patterns that match one origin, and only that.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from flask import Flask, Response, current_app, request
from flask_cors import CORS

from bff.model.frontend import Frontend
from bff.model.relay import Relay
from bff.plan.plan import Plan
from bff.web.origins import Sharing, sharing

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PREFLIGHTS_LAST: Final = 600  # seconds
_NO_CONTENT: Final = 204


def cors(
    app: Flask,
    frontends: Mapping[str, Frontend],
    plans: Mapping[str, Mapping[str, Plan]],
    relays: Collection[Relay] = (),
) -> None:
    """Let the pages of each frontend's origins read its views, and those that sign in `/auth/*`.

    What `forward` and `respond` of a frontend's calls name, its pages may send and read. Only
    frontends that take sessions get credentials: a bearer token needs none.

    Args:
        plans: by view and frontend.
    """
    app.before_request(_answer_options)
    resources = {name: _resource(each) for name, each in sharing(frontends, plans, relays).items()}
    if not resources:
        return
    CORS(
        app,
        resources={re.compile(f"/{name}/"): each for name, each in resources.items()},
        methods=_METHODS,
        max_age=_PREFLIGHTS_LAST,
        always_send=False,  # without an Origin it would list all that are allowed
        vary_header=False,  # it forgets that of answers without an Origin
        intercept_exceptions=False,
    )

    def vary(response: Response) -> Response:
        if request.path[1:].partition("/")[0] in resources:
            response.vary.add("Origin")
        return response

    app.after_request(vary)


def _resource(shared: Sharing) -> dict[str, Any]:
    """What flask-cors is given."""
    return {
        "origins": [_exactly(origin) for origin in sorted(shared.origins)],
        "allow_headers": [_exactly(name, re.IGNORECASE) for name in shared.sent],
        "expose_headers": shared.read,
        "supports_credentials": shared.credentials,
    }


def _exactly(text: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile(re.escape(text) + r"\Z", flags | re.ASCII)


def _answer_options() -> Response | None:
    """Answer OPTIONS before anybody asks who it is: a preflight has no credentials to show.

    A preflight for what is not there passes too: the request itself then says that it is not.
    """
    if request.method != "OPTIONS":
        return None
    preflight = "Origin" in request.headers and "Access-Control-Request-Method" in request.headers
    if request.routing_exception is None:
        response = current_app.make_default_options_response()
    elif preflight:
        response = Response()
    else:
        return None
    response.status_code = _NO_CONTENT
    del response.headers["Content-Type"]
    return response
