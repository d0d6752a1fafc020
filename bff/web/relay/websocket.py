"""The authorization of WebSockets, for the `auth_request` of nginx.

As a WebSocket would occupy a thread for hours, nginx relays it, and requests this endpoint before.
A page of any origin may open one with the user's cookie (RFC 6455, section 10.2), so the exact
origin is checked.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from flask import Flask, Response, request

from bff.errors import BffError, CrossSite, InvalidToken, LoginRequired
from bff.model.frontend import Frontend
from bff.model.principal import NOBODY
from bff.model.relay import Relay
from bff.web.access.authenticate import AccessRule, own_origin
from bff.web.runtime import WebRuntime

PREFIX: Final = "/auth/websocket"
_NO_CONTENT: Final = 204
_UNAUTHORIZED, _FORBIDDEN = 401, 403
_FIRST_SERVER_ERROR: Final = 500


def websocket_routes(
    app: Flask, relays: Iterable[Relay], frontends: Mapping[str, Frontend], web: WebRuntime
) -> None:
    """Add `/auth/websocket/{frontend}/{relay}` for each WebSocket relay."""
    for relay in relays:
        for name in relay.frontends if relay.stream == "websocket" else ():
            app.add_url_rule(
                f"{PREFIX}/{name}/{relay.name}",
                endpoint=f"{name}.websocket.{relay.name}",
                view_func=WebSocketCheck(relay, frontends[name], web),
                methods=["GET"],
            )


class WebSocketCheck:
    """Decides whether a client may open the WebSocket of one relay."""

    def __init__(self, relay: Relay, frontend: Frontend, web: WebRuntime) -> None:
        self._frontend = frontend
        rule = AccessRule(frontend, relay.access_at(frontend), "origin", relay.require)
        self._admission = web.admission(rule)

    def __call__(self) -> Response:
        """204, 401 or 403: the statuses that `auth_request` distinguishes."""
        principal = NOBODY
        try:
            principal = self._admission.principal()
            self._admission.admit(principal)
            if not principal.token:
                self._check_origin()
        except BffError as error:
            response = self._admission.refused(error, principal)
            unauthenticated = isinstance(error, LoginRequired | InvalidToken)
            if error.status < _FIRST_SERVER_ERROR:
                response.status_code = _UNAUTHORIZED if unauthenticated else _FORBIDDEN
            return response
        response = Response(status=_NO_CONTENT)
        del response.headers["Content-Type"]
        response.headers["Cache-Control"] = "no-store"
        response.headers["BFF-Subject"] = quote(principal.subject, safe="@:+|/ ")
        return response

    def _check_origin(self) -> None:
        """Refuse pages of undeclared origins; apps, which send a bearer token, have none."""
        if request.headers.get("Origin") not in {own_origin(request), *self._frontend.origins}:
            raise CrossSite("pages of this origin may not open this WebSocket")
