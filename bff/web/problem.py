"""Error answers as problem details (RFC 9457), without any internal of a service."""

from collections.abc import Mapping
from http.client import responses
from traceback import format_tb
from typing import Any, Final

from flask import Flask, Response, g
from werkzeug.exceptions import HTTPException

from bff.model.json_text import encode_json
from bff.observe.boundary import ErrorBoundary
from bff.web.app import UnreadableBody

MEDIA_TYPE: Final = "application/problem+json"


def problem(status: int, detail: str = "", *, title: str = "", **members: Any) -> Response:
    """An error answer.

    Args:
        detail: a sentence for the developer of the frontend.
        title: of the problem; the standard phrase of the status if not given.
        members: further members (RFC 9457, section 3.2).
    """
    content: Mapping[str, Any] = {
        "title": title or responses.get(status, "Error"),
        "status": status,
        **({"detail": detail} if detail else {}),
        "id": g.request_id,
        **members,
    }
    response = Response(encode_json(content), status, mimetype=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response


def handle_errors(app: Flask, boundary: ErrorBoundary) -> None:
    """Answer an exception that is raised while a request is handled with a problem.

    In tests (`app.testing`) an unexpected exception is raised again; under development the problem
    has its traceback.
    """

    def http_error(error: HTTPException) -> Response:
        detail = str(error.description) if isinstance(error, UnreadableBody) else ""
        response = problem(error.code or 500, detail)
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    def unexpected(error: Exception) -> Response:
        boundary.reported(error, "request", id_=g.request_id)
        if app.testing:
            raise error
        return problem(500, **(_shown(error) if boundary.raises else {}))

    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)


def _shown(error: Exception) -> Mapping[str, Any]:
    """The type and traceback, for a developer. Not the message, which may contain a token."""
    return {"error": type(error).__name__, "trace": format_tb(error.__traceback__)}
