"""Health checks: public for load balancers, with reasons on the management listener."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson
from flask import Flask, Response

from bff.web.management.cache_admin import PREFIX, CacheAdmin
from bff.web.management.listener import MANAGED

Check = Callable[[], str]  # the reason why it fails; empty if it passes
_ADDRESS: Final = re.compile(r"(localhost|[\d.]+|\[[0-9a-f:]+\])(:\d+)?", re.IGNORECASE)
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"  # the text exposition format
_READY: Final = 200
_NOT_READY: Final = 503


def health_routes(app: Flask, checks: Mapping[str, Check]) -> None:
    """Add `/livez` and `/readyz`: a status and a short text, no internal details."""

    def livez() -> Response:
        return _text("live", _READY)

    def readyz() -> Response:
        ready = not any(check() for check in checks.values())
        return _text("ready", _READY) if ready else _text("not ready", _NOT_READY)

    app.add_url_rule("/livez", view_func=livez)
    app.add_url_rule("/readyz", view_func=readyz)


def _text(text: str, status: int) -> Response:
    response = Response(f"{text}\n", status, mimetype="text/plain")
    response.headers["Cache-Control"] = "no-store"
    return response


class ManagementApp:
    """WSGI middleware: handles requests on the management socket, passes on all others.

    Args:
        public: the WSGI app for all other sockets.
        checks: the readiness checks, by name.
        notes: checks that are reported, and do not make the process unready.
        reports: further JSON documents, by path.
        cache: the endpoints below `/cache`.
        metrics: gives the metrics in Prometheus's text format.
    """

    def __init__(
        self,
        public: Any,
        checks: Mapping[str, Check],
        notes: Mapping[str, Check],
        reports: Mapping[str, Callable[[], Any]],
        cache: CacheAdmin | None = None,
        metrics: Callable[[], bytes] = bytes,
    ) -> None:
        self._public = public
        self._checks, self._notes, self._reports = checks, notes, reports
        self._cache = cache or CacheAdmin(None)
        self._metrics = metrics

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Dispatch by the socket of the request; clients cannot set this key of the environ."""
        if MANAGED not in environ:
            answer: Iterable[bytes] = self._public(environ, start_response)
            return answer
        return self._respond(environ)(environ, start_response)

    def _respond(self, environ: Mapping[str, Any]) -> Response:
        if not _ADDRESS.fullmatch(environ.get("HTTP_HOST", "")):
            return _text("the Host header must be an IP address or localhost", 421)  # DNS rebinding
        path = environ.get("PATH_INFO", "")
        if path == "/livez":
            return _text("live", _READY)
        if path == PREFIX or path.startswith(f"{PREFIX}/"):
            return self._cache.respond(environ)
        if path == "/metrics":
            return Response(self._metrics(), content_type=_PROMETHEUS)
        if path in self._reports:
            report = {"process": os.getpid(), **self._reports[path]()}
            return Response(orjson.dumps(report), mimetype="application/json")
        return self._readiness() if path == "/readyz" else _text("not found", 404)

    def _readiness(self) -> Response:
        reasons = {name: check() for name, check in self._checks.items()}
        notes = {name: check() for name, check in self._notes.items()}
        ready = not any(reasons.values())
        content = {
            "ready": ready,
            "reasons": {name: reason for name, reason in reasons.items() if reason},
            "notes": {name: note for name, note in notes.items() if note},
        }
        status = _READY if ready else _NOT_READY
        return Response(orjson.dumps(content), status, mimetype="application/json")
