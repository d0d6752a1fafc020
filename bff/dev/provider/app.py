"""A local OpenID provider for development: two test accounts, no passwords, loopback only.

It implements what the app uses: discovery, authorization code with PKCE, single sign-on, refresh
with rotation, token exchange, revocation, RP-initiated and back-channel logout. `control` makes it
hang, refuse requests, or rotate its keys. Its metadata has `bff_development`, by which production
rejects it.

shop = RegisteredClient("shop", "secret", ("http://127.0.0.1:8080/auth/callback",))
with LocalProvider([shop]) as provider:
    httpx.get(provider.issuer + "/.well-known/openid-configuration")
"""

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Thread
from typing import Any, Final, Self

from flask import Flask, Response, redirect, render_template, request
from werkzeug.serving import WSGIRequestHandler, make_server

from bff.dev.provider.control import Control, control_routes
from bff.dev.provider.grants import Grants
from bff.dev.provider.logout import logout_routes
from bff.dev.provider.sign_in import SignIn
from bff.dev.provider.token_endpoint import TokenEndpoint
from bff.dev.provider.tokens import ALGORITHM, Signer
from bff.dev.provider.values import ACCOUNTS, EXCHANGE, GRANTS, OAuthError, RegisteredClient

TOKEN_SECONDS: Final = 300.0
_MOST_BYTES: Final = 16 * 1024
_FILES: Final = {"style.css": "text/css", "icon.svg": "image/svg+xml"}
_IDLE_SECONDS: Final = 10.0
_JOIN_SECONDS: Final = 5.0
# Without form-action: Chromium applies it to the redirect back to the application as well.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class LocalProvider:
    """Listens on a loopback port from its creation, and answers after `start()`.

    Args:
        clients: the registered applications.
        port: 0 takes a free one. OSError where it is taken.
        always: the account that every user is signed in as, without a form; empty for none.
        token_seconds: the lifetime of an access token.
        now: the wall clock.
    """

    def __init__(
        self,
        clients: Iterable[RegisteredClient],
        *,
        port: int = 0,
        always: str = "",
        token_seconds: float = TOKEN_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        app = Flask(__name__, static_folder=None, template_folder="templates")
        self._server = make_server(
            "127.0.0.1", port, app, threaded=True, request_handler=_SilentHandler
        )
        self.issuer = f"http://127.0.0.1:{self._server.port}"
        signer = Signer(self.issuer, now, token_seconds)
        self.control = Control(signer)
        self.tokens = _routes(app, tuple(clients), always, signer, self.control, now)
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Answer requests."""
        self._thread.start()

    def stop(self) -> None:
        """Close the socket, without waiting for requests in progress."""
        self.control.reset()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(_JOIN_SECONDS)
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _SilentHandler(WSGIRequestHandler):
    """Logs no request: queries contain authorization codes."""

    timeout = _IDLE_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Log nothing."""


def _routes(
    app: Flask,
    clients: Iterable[RegisteredClient],
    always: str,
    signer: Signer,
    control: Control,
    now: Callable[[], float],
) -> TokenEndpoint:
    app.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES
    known, issuer, grants = {client.id: client for client in clients}, signer.issuer, Grants(now)
    tokens = TokenEndpoint(known, grants, signer)
    _guard(app, issuer, control)
    _metadata_routes(app, issuer, signer)
    _token_routes(app, tokens, control)
    SignIn(issuer, known, grants, always, control, now).routes(app)
    logout_routes(app, known, grants, signer)
    control_routes(app, control)
    return tokens


def _guard(app: Flask, issuer: str, control: Control) -> None:
    def check() -> Response | None:
        # DNS rebinding by a web page
        if request.host != issuer.removeprefix("http://"):
            return Response("this host name is not served here\n", 421, mimetype="text/plain")
        if request.endpoint in {"metadata", "jwks", "end_session"}:
            return control.apply(
                request.endpoint
            )  # other endpoints apply it where they can return an OAuth error
        return None

    def label(response: Response) -> Response:
        for name, value in (
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", _POLICY),
            ("Referrer-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            response.headers.setdefault(name, value)
        return response

    app.before_request(check)
    app.after_request(label)


def _metadata_routes(app: Flask, issuer: str, signer: Signer) -> None:
    metadata = _metadata(issuer)
    app.add_url_rule("/.well-known/openid-configuration", "metadata", lambda: metadata)
    app.add_url_rule("/oauth/jwks", "jwks", lambda: dict(signer.jwks()))
    for name, kind in _FILES.items():
        app.add_url_rule(f"/oauth/{name}", name, _file, defaults={"name": name, "kind": kind})
    app.add_url_rule("/", "home", lambda: redirect("/oauth/account"))


def _file(name: str, kind: str) -> Response:
    return Response(render_template(name), mimetype=kind)


def _metadata(issuer: str) -> dict[str, Any]:
    """OpenID Connect Discovery, section 3."""
    endpoints = {
        "authorization_endpoint": "authorize",
        "token_endpoint": "token",
        "revocation_endpoint": "revoke",
        "end_session_endpoint": "end-session",
        "jwks_uri": "jwks",
    }
    claims = {name for account in ACCOUNTS.values() for name in account.claims}
    return {
        "issuer": issuer,
        "bff_development": True,
        **{name: f"{issuer}/oauth/{path}" for name, path in endpoints.items()},
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": [
            "authorization_code",
            "refresh_token",
            "client_credentials",
            EXCHANGE,
        ],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": ["sub", "auth_time", "acr", "sid", *sorted(claims)],
        "prompt_values_supported": ["none", "login", "select_account", "consent"],
        "authorization_response_iss_parameter_supported": True,
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
    }


def _token_routes(app: Flask, tokens: TokenEndpoint, control: Control) -> None:
    def client() -> RegisteredClient:
        given = request.authorization
        if given is None or given.type != "basic":
            raise OAuthError("invalid_client", "client_secret_basic is required")
        return tokens.client(given.username or "", given.password or "")

    def token() -> Mapping[str, Any] | Response:
        asked, wanted = client(), request.form.get("grant_type", "")
        grants = [name for name, kind in GRANTS.items() if kind == wanted]
        for what in ("token", *grants):
            if fault := control.apply(what):
                return fault
        return dict(tokens.answer(asked, request.form))

    def revoke() -> Response:
        asked = client()
        if fault := control.apply("revoke"):
            return fault
        tokens.revoke(asked, request.form.get("token", ""))
        return Response()

    def refused(error: OAuthError) -> tuple[dict[str, str], int, dict[str, str]]:
        answer = {"error": error.error, "error_description": error.description}
        if error.error == "invalid_client":
            return answer, 401, {"WWW-Authenticate": 'Basic realm="local provider"'}
        return answer, 400, {}

    app.add_url_rule("/oauth/token", "token", token, methods=["POST"])
    app.add_url_rule("/oauth/revoke", "revoke", revoke, methods=["POST"])
    app.register_error_handler(OAuthError, refused)
