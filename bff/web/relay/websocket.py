"""Whether a WebSocket may be opened: what nginx asks before it relays one (`auth_request`).

A WebSocket would hold a thread for hours, so nginx carries it; who may open it is for us to say.
Any page may try, with the person's cookie (RFC 6455, section 10.2): its exact origin counts.
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
    """`/auth/websocket/{frontend}/{relay}`: 204, 401 or 403, as nginx understands it."""
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
        """204, 401 or 403."""
        principal = NOBODY
        try:
            principal = self._admission.principal()
            self._admission.admit(principal)
            if not principal.token:
                self._check_origin()
        except BffError as error:
            response = self._admission.refused(error, principal)
            unknown = isinstance(error, LoginRequired | InvalidToken)
            if error.status < _FIRST_SERVER_ERROR:
                response.status_code = _UNAUTHORIZED if unknown else _FORBIDDEN
            return response
        response = Response(status=_NO_CONTENT)
        del response.headers["Content-Type"]
        response.headers["Cache-Control"] = "no-store"
        response.headers["BFF-Subject"] = quote(principal.subject, safe="@:+|/ ")
        return response

    def _check_origin(self) -> None:
        """Only pages of declared origins may; apps that bring a token have no origin."""
        if request.headers.get("Origin") not in {own_origin(request), *self._frontend.origins}:
            raise CrossSite("pages of this origin may not open this")
