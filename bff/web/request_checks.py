"""The checks of every request, and the headers of every answer: id, sizes, host, security."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from random import getrandbits  # a request id is no secret: it needs no system call
from typing import Any, Final

from flask import Flask, Response, g
from flask.globals import request_ctx

from bff.observe.log import logger
from bff.web.authority import authority
from bff.web.problem import problem
from bff.web.text import is_utf8, mark_encoded_slashes, restore_encoded_slashes

_Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
REQUEST_ID: Final = "bff.request_id"
_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_MAX_TARGET: Final = 8190  # bytes, as in nginx and gunicorn
_MAX_HEADERS: Final = 32 * 1024
_MAX_ANSWER: Final = 16_000  # bytes of an answer's headers; nginx reads 32 KB, with a cache's key
_FRAMING: Final = 4  # bytes: the colon, the blank, and the end of the line
_OF_PROBLEM: Final = (("Content-Type", "application/problem+json"), ("Cache-Control", "no-store"))
_TOO_LARGE: Final = (
    b'{"title":"Bad Gateway","status":502,'
    b'"detail":"the headers of the answer are too large","id":"%b"}'
)
_SHARING: Final = ("access-control-", "vary")  # so that pages of other origins can read the problem
# Defaults of the security headers: an answer is data, in which no script runs, and which is not
# sniffed, framed, or embedded by other sites. Cross-Origin-Resource-Policy does not affect CORS
# (Fetch, section 3.9).
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
ANY_HOST: Final = frozenset({"/livez", "/readyz"})  # health checks use the IP address


def _size_of_target(environ: Mapping[str, Any]) -> int:
    raw = environ.get("RAW_URI")  # encoded; the decoded path is shorter
    return len(raw) if raw else len(environ["PATH_INFO"]) + len(environ["QUERY_STRING"])


def _is_text(text: str) -> bool:
    """Whether a path or a query, as WSGI has it (PEP 3333), is UTF-8."""
    return text.isascii() or is_utf8(text.encode("latin-1", "replace"))


def _size_of_headers(environ: Mapping[str, Any]) -> int:
    return sum(len(name) + len(environ[name]) for name in environ if name.startswith("HTTP_"))


def guard(app: Flask, hosts: Collection[str]) -> None:
    """Install the checks; `hosts` are names without a port, in lower case."""

    def check() -> Response | None:
        request = request_ctx.request  # once, as each access through the proxy costs time
        environ = request.environ
        g.request_id = environ[REQUEST_ID]
        if _size_of_target(environ) > _MAX_TARGET:
            return problem(414, f"the address has more than {_MAX_TARGET} characters")
        if _size_of_headers(environ) > _MAX_HEADERS:
            return problem(431, f"the headers have more than {_MAX_HEADERS} characters")
        host, wrong = authority(environ)
        if not wrong and not _is_text(environ["QUERY_STRING"]):
            wrong = "the query is not UTF-8"
        if not wrong and not _is_text(environ["PATH_INFO"]):
            wrong = "the path is not UTF-8"
        if not wrong and not restore_encoded_slashes(request):
            wrong = "the path contains the noncharacter U+FDD0"
        if wrong:
            return problem(400, wrong)
        if host not in hosts and request.path not in ANY_HOST:
            return problem(421, "this host name is not served here")
        return None

    app.before_request(check)
    app.wsgi_app = _with_standard_headers(app.wsgi_app)  # type: ignore[assignment]  # as Flask documents it


def _with_standard_headers(app: _Wsgi) -> _Wsgi:
    """Set the id of each request, and the id and security headers of each answer.

    This is WSGI middleware, where headers are a plain list: Flask would check each header that is
    added, and search for it among the others.

    An answer whose headers are too large for the proxies in front is replaced by a 502: nginx would
    count it as a failure of this server, and stop sending requests to it for a while.
    """

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        received = environ.get("HTTP_X_REQUEST_ID", "")
        id_ = environ[REQUEST_ID] = (
            received if _ID.fullmatch(received) else f"{getrandbits(128):032x}"
        )
        mark_encoded_slashes(environ)
        safe = _SECURE if environ["wsgi.url_scheme"] == "https" else _PLAIN

        replacement: list[bytes] = []

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            present = {name.lower() for name, _ in headers}
            added = [(name, value) for lower, name, value in safe if lower not in present]
            sent_headers = [*headers, *added, ("X-Request-Id", id_)]
            if sum(len(name) + len(value) + _FRAMING for name, value in sent_headers) > _MAX_ANSWER:
                logger.error("the headers of an answer are too large", extra={"id": id_})
                replacement.append(_TOO_LARGE % id_.encode())
                shared = [pair for pair in headers if pair[0].lower().startswith(_SHARING)]
                length = ("Content-Length", str(len(replacement[0])))
                always = [(name, value) for _, name, value in safe]
                sent_headers = [*_OF_PROBLEM, length, *shared, *always, ("X-Request-Id", id_)]
                status = "502 Bad Gateway"
            return start_response(status, sent_headers, *error)

        body = app(environ, start)
        if not replacement:
            return body
        close = getattr(body, "close", None)
        if close:
            close()
        return replacement

    return answer
