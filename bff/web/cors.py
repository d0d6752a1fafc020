"""CORS (Fetch, section 3.3) by flask-cors, with exact origins only.

flask-cors takes a string with a bracket for a regular expression, which it does not anchor, and
compares other strings regardless of case. So it gets patterns that match exactly one origin.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from flask import Flask, Response, current_app, request
from flask_cors import CORS

from bff.model.frontend import Frontend
from bff.model.relay import Relay
from bff.plan.plan import Plan
from bff.web.origins import CorsPolicy, cors_policies

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_PREFLIGHTS_LAST: Final = 600  # seconds
_NO_CONTENT: Final = 204


def cors(
    app: Flask,
    frontends: Mapping[str, Frontend],
    plans: Mapping[str, Mapping[str, Plan]],
    relays: Collection[Relay] = (),
) -> None:
    """Install CORS: for the views and relays of each frontend, and for `/auth/*`.

    Only frontends with sessions allow credentials; a bearer token is a header.

    Args:
        plans: by view and frontend.
    """
    app.before_request(_answer_options)
    resources = {
        name: _flask_cors_options(policy)
        for name, policy in cors_policies(frontends, plans, relays).items()
    }
    if not resources:
        return
    CORS(
        app,
        resources={re.compile(f"/{name}/"): options for name, options in resources.items()},
        methods=_METHODS,
        max_age=_PREFLIGHTS_LAST,
        always_send=False,  # else answers without an Origin list all allowed origins
        vary_header=False,  # `vary` below also sets it on answers without an Origin
        intercept_exceptions=False,
    )

    def vary(response: Response) -> Response:
        if request.path[1:].partition("/")[0] in resources:
            response.vary.add("Origin")
        return response

    app.after_request(vary)


def _flask_cors_options(policy: CorsPolicy) -> dict[str, Any]:
    """The options of flask-cors for a policy."""
    return {
        "origins": [_exact_pattern(origin) for origin in sorted(policy.origins)],
        "allow_headers": [_exact_pattern(name, re.IGNORECASE) for name in policy.allow_headers],
        "expose_headers": policy.expose_headers,
        "supports_credentials": policy.credentials,
    }


def _exact_pattern(text: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile(re.escape(text) + r"\Z", flags | re.ASCII)


def _answer_options() -> Response | None:
    """Answer OPTIONS before authentication, as a preflight carries no credentials.

    A preflight for an unknown path succeeds as well, so that the page can read the 404 to its
    request.
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
