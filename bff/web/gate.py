"""What every request passes first and every answer last: an id, sizes, a Host of ours, headers."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from random import getrandbits  # an id opens nothing: no system call is due for it
from typing import Any, Final

from flask import Flask, Response, g
from flask.globals import request_ctx

from bff.web.problem import problem
from bff.web.text import is_utf8, tell_slashes_apart, with_slashes

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
REQUEST_ID: Final = "bff.request_id"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_MAX_TARGET: Final = 8190  # what nginx and gunicorn let through too
_MAX_HEADERS: Final = 32 * 1024
_PORT: Final = re.compile(r":\d+$")
# What an answer says unless it says so itself: it is data, and nothing in it runs, is guessed at,
# framed, or embedded elsewhere. Pages of declared origins read it by CORS, which
# Cross-Origin-Resource-Policy leaves alone (Fetch, section 3.9).
_SAFE: Final = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_HTTPS: Final = {"Strict-Transport-Security": "max-age=31536000"}  # RFC 6797
_PLAIN: Final = [(name.lower(), name, value) for name, value in _SAFE.items()]
_SECURE: Final = [*_PLAIN, *((name.lower(), name, value) for name, value in _HTTPS.items())]
ANY_HOST: Final = frozenset({"/livez", "/readyz"})  # asked by address, and they say nothing


def _size_of_target(environ: Mapping[str, Any]) -> int:
    raw = environ.get("RAW_URI")  # as it came; of what is decoded, less is left
    return len(raw) if raw else len(environ["PATH_INFO"]) + len(environ["QUERY_STRING"])


def _is_text(text: str) -> bool:
    """Whether a path or a query, as WSGI has it (PEP 3333), is UTF-8."""
    return text.isascii() or is_utf8(text.encode("latin-1", "replace"))


def _size_of_headers(environ: Mapping[str, Any]) -> int:
    return sum(len(name) + len(environ[name]) for name in environ if name.startswith("HTTP_"))


def guard(app: Flask, hosts: Collection[str]) -> None:
    """Install the checks; `hosts` are names without a port, in lower case."""

    def check() -> Response | None:
        asked = request_ctx.request  # once: going through the proxy each time is not for nothing
        environ = asked.environ
        g.request_id = environ[REQUEST_ID]
        if _size_of_target(environ) > _MAX_TARGET:
            return problem(414, f"the address has more than {_MAX_TARGET} characters")
        if _size_of_headers(environ) > _MAX_HEADERS:
            return problem(431, f"the headers have more than {_MAX_HEADERS} characters")
        if not _is_text(environ["QUERY_STRING"]):
            return problem(400, "the query is not UTF-8")
        if not _is_text(environ["PATH_INFO"]):
            return problem(400, "the path is not UTF-8")
        with_slashes(asked)
        host = _PORT.sub("", environ.get("HTTP_HOST", "").lower())
        if host not in hosts and asked.path not in ANY_HOST:
            return problem(421, "this host name is not served here")
        return None

    app.before_request(check)
    app.wsgi_app = _labelled(app.wsgi_app)  # type: ignore[assignment]  # as Flask documents it


def _labelled(app: _Wsgi) -> _Wsgi:
    """Give each request an id, and each answer that and the headers above.

    That is below Flask, where headers are a plain list: each one that is put into those of a
    response is checked, and looked for among the others.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        given = environ.get("HTTP_X_REQUEST_ID", "")
        own = environ[REQUEST_ID] = given if _ID.fullmatch(given) else f"{getrandbits(128):032x}"
        tell_slashes_apart(environ)
        safe = _SECURE if environ["wsgi.url_scheme"] == "https" else _PLAIN

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            said = {name.lower() for name, _ in headers}
            more = [(name, value) for lower, name, value in safe if lower not in said]
            return start_response(status, [*headers, *more, ("X-Request-Id", own)], *error)

        return app(environ, start)

    return answer
