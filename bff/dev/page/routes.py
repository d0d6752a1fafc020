"""The page that people see first: a view's two answers side by side, and the calls behind them.

It is for `bff demo` and `bff dev` alone: besides its files it serves what the page has to know of
the views, and passes changes of the stub services on to their control API, which is on a port of
its own.
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
from bff.dev.recordings.tape import shown
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
        "require-trusted-types-for 'script'",  # no text becomes markup, not even by mistake
    ]
)
_TYPES: Final = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_LOOPBACK_HOST: Final = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
_SAME_SITE: Final = {None, "same-origin", "none"}  # none: typed into the address bar
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
    """Serve the page at `/`, its files and what it asks for below `/demo/`.

    Args:
        checked: the configuration that `app` serves.
        stub: the address of the stubs' control API (`http://127.0.0.1:…`); None where there is
            none, and the page then shows no controls.
        shop: whether the view `home` is the shop's, and can be drawn as its customers see it.
        replay: what answers from recordings, if that is what the app asks.
    """
    told = orjson.dumps({**_told(checked), "shop": shop, "stubs": stub is not None})

    def views() -> Response:
        _refuse_strangers()
        return _json(told)

    def services() -> Response:
        _refuse_strangers()
        return _asked(stub, "GET", "/services")

    def service(name: str) -> Response:
        _refuse_strangers()
        if name not in checked.config.services:
            abort(404)
        return _asked(stub, "PUT", f"/services/{name}", _change())

    def unused() -> Response:
        _refuse_strangers()
        left = replay.unused() if replay else abort(404)
        return _json(orjson.dumps({name: list(map(shown, each)) for name, each in left.items()}))

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


# -- who may ask ---------------------------------------------------------------------------------


def _refuse_strangers() -> None:
    """Only this machine, and no page but ours: Fetch Metadata, and Origin where that is missing."""
    host = request.headers.get("Host", "")
    near = ip_address(request.remote_addr or "0.0.0.0").is_loopback
    if not near or not _LOOPBACK_HOST.fullmatch(host):
        abort(403)
    if request.headers.get("Sec-Fetch-Site") not in _SAME_SITE:
        abort(403)
    if request.headers.get("Origin") not in {None, f"{request.scheme}://{host}"}:
        abort(403)


# -- the stubs' control API ----------------------------------------------------------------------


def _change() -> bytes:
    """The change that is asked for, and nothing else of the request; a 4xx where it is not one."""
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
    """What the control API answers; 404 where there is none, 502 where it does not answer."""
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


# -- what the page knows of the views ------------------------------------------------------------


def _told(checked: CheckedConfig) -> dict[str, Any]:
    """Every view, those that write for themselves, and every service."""
    plans = [each for by_frontend in checked.plans.values() for each in by_frontend.values()]
    asked = [each for each in plans if not each.view.stream]
    told = [_view(each, checked.config.frontends[each.frontend]) for each in asked]
    files = {each.view.name: each.view.place.file for each in asked}
    return {
        "services": {
            name: {"timeout_ms": round(each.timeout * 1000)}
            for name, each in checked.config.services.items()
        },
        "views": [each for each in told if each["method"] == "GET"],
        "writes": [each for each in told if each["method"] != "GET"],
        "providers": list(checked.config.providers),
        "idle_seconds": checked.config.session.idle,
        "declared": {name: _declared(Path(file)) for name, file in files.items()},
    }


def _declared(file: Path) -> Mapping[str, str]:
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
