"""The routes of the demo page: its files, the declared views, and control of the stub services.

Only `bff demo` and `bff dev` serve it. Changes of stub services are forwarded to their control API,
which listens on another port.
"""

import re
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, get_args
from urllib.parse import urlsplit

import orjson
from flask import Flask, Response, abort, request

from bff.declare.check import CheckedConfig
from bff.dev.recordings.replay import ReplayExchange
from bff.dev.recordings.replay_cursor import entry_text
from bff.dev.stubs.service import State
from bff.model.frontend import Frontend
from bff.model.view import Param
from bff.plan.order import Node
from bff.plan.plan import Plan

_FOLDER: Final = Path(__file__).parent / "static"
_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "connect", "img")),
        *(f"{kind} 'none'" for kind in ("base-uri", "form-action", "frame-ancestors")),
        "require-trusted-types-for 'script'",  # innerHTML with text fails (Trusted Types)
    ]
)
_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_LOOPBACK_HOST: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
_SAME_SITE: Final = {None, "same-origin", "none"}  # none: opened from the address bar
_MOST_BYTES: Final = 1024
_MOST_LATENCY_MS: Final = 60_000
_STUB_SECONDS: Final = 5.0


def page_routes(
    app: Flask,
    checked: CheckedConfig,
    stub: str | None,
    *,
    shop: bool = False,
    replay: ReplayExchange | None = None,
) -> None:
    """Serve the page at `/`, and its files and data below `/demo/`.

    Args:
        checked: the configuration that `app` serves.
        stub: the URL of the stubs' control API (`http://127.0.0.1:…`); None where there is none:
            the page then shows no controls.
        shop: whether the view `home` is that of the demo shop, and can be rendered as a shop.
        replay: the exchange that answers from recordings, if the app uses one.
    """
    declared = orjson.dumps({**_views(checked), "shop": shop, "stubs": stub is not None})

    def views() -> Response:
        _refuse_cross_site()
        return _json(declared)

    def services() -> Response:
        _refuse_cross_site()
        return _asked(stub, "GET", "/services")

    def service(name: str) -> Response:
        _refuse_cross_site()
        if name not in checked.config.services:
            abort(404)
        return _asked(stub, "PUT", f"/services/{name}", _change())

    def unused() -> Response:
        _refuse_cross_site()
        left = replay.unused() if replay else abort(404)
        return _json(
            orjson.dumps({name: list(map(entry_text, each)) for name, each in left.items()})
        )

    app.add_url_rule("/demo/unused", "page.unused", unused)
    app.add_url_rule("/demo/views", "page.views", views)
    app.add_url_rule("/demo/services", "page.services", services)
    app.add_url_rule("/demo/services/<name>", "page.service", service, methods=["PUT"])
    app.add_url_rule("/", "page", lambda: _file("index.html"))
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _TYPES:
            app.add_url_rule(
                f"/demo/{path.name}", f"page.{path.name}", _file, defaults={"name": path.name}
            )


def _file(name: str) -> Response:
    response = Response((_FOLDER / name).read_bytes(), mimetype=_TYPES[Path(name).suffix])
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    return response


def _json(content: bytes, status: int = 200) -> Response:
    response = Response(content, status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


# -- access control --------------------------------------------------------------------------------


def _refuse_cross_site() -> None:
    """Accept only requests of this machine and page: by Fetch Metadata, or else by Origin."""
    host = request.headers.get("Host", "")
    near = ip_address(request.remote_addr or "0.0.0.0").is_loopback
    if not near or not _LOOPBACK_HOST.fullmatch(host):
        abort(403)
    if request.headers.get("Sec-Fetch-Site") not in _SAME_SITE:
        abort(403)
    if request.headers.get("Origin") not in {None, f"{request.scheme}://{host}"}:
        abort(403)


# -- the stubs' control API ------------------------------------------------------------------------


def _change() -> bytes:
    """The JSON of a change, validated; a 4xx where it is invalid."""
    if request.mimetype != "application/json":
        abort(415)
    request.max_content_length = _MOST_BYTES
    try:
        body = orjson.loads(request.get_data())
    except orjson.JSONDecodeError:
        abort(400)
    if not isinstance(body, dict) or not body or body.keys() - {"state", "latency_ms"}:
        abort(400)
    if "state" in body and body["state"] not in get_args(State):
        abort(400)
    latency = body.get("latency_ms", 0)
    if type(latency) not in {int, float} or not 0 <= latency <= _MOST_LATENCY_MS:
        abort(400)
    return orjson.dumps(body)


def _asked(stub: str | None, method: str, path: str, body: bytes | None = None) -> Response:
    """The response of the control API; 404 where there is none, 502 where it does not answer."""
    if stub is None:
        abort(404)
    connection = HTTPConnection(urlsplit(stub).netloc, timeout=_STUB_SECONDS)
    try:
        connection.request(method, path, body)
        reply = connection.getresponse()
        return _json(reply.read(), reply.status)
    except (OSError, HTTPException):
        abort(502)
    finally:
        connection.close()


# -- the declared views ----------------------------------------------------------------------------


def _views(checked: CheckedConfig) -> dict[str, Any]:
    """The declared views, writes and services, for the page."""
    plans = [each for by_frontend in checked.plans.values() for each in by_frontend.values()]
    asked = [each for each in plans if not each.view.stream]
    declared = [_view(each, checked.config.frontends[each.frontend]) for each in asked]
    files = {each.view.name: each.view.place.file for each in asked}
    return {
        "services": {
            name: {"timeout_ms": round(each.timeout * 1000)}
            for name, each in checked.config.services.items()
        },
        "views": [each for each in declared if each["method"] == "GET"],
        "writes": [each for each in declared if each["method"] != "GET"],
        "providers": list(checked.config.providers),
        "idle_seconds": checked.config.session.idle,
        "declared": {name: _source(Path(file)) for name, file in files.items()},
    }


def _source(file: Path) -> Mapping[str, str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    return {"file": "/".join(file.parts[-2:]), "text": text}


def _view(plan: Plan, frontend: Frontend) -> dict[str, Any]:
    view = plan.view
    return {
        "name": view.name,
        "method": view.method,
        "frontend": plan.frontend,
        "route": f"/{plan.frontend}{view.route}",
        "access": view.access_at(frontend),
        "timeout_ms": round(view.timeout * 1000),
        "params": [_param(each) for each in view.params],
        "calls": {name: _call(node) for name, node in plan.nodes.items()},
        "left_out": list(plan.pruned),
    }


def _param(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "in": param.where,
        "type": param.type,
        "required": param.required,
        "default": param.default,
        "enum": list(param.enum),
        "minimum": param.minimum,
        "maximum": param.maximum,
    }


def _call(node: Node) -> dict[str, Any]:
    call = node.compiled.call
    return {
        "service": call.service,
        "request": f"{call.method} {call.service}:{call.path.shown}",
        "waits_for": sorted(node.waits_for),
        "on_failure": call.rung,
        "fallback": orjson.loads(node.compiled.fallback) if call.rung == "fallback" else None,
        "many": "batch" if call.batch else "each" if call.each else None,
        "timeout_ms": round(node.compiled.timeout * 1000),
    }
