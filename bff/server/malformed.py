"""Answers to requests that do not reach the app, as problem details (RFC 9457)."""

from email.utils import formatdate
from http import HTTPStatus
from random import getrandbits
from typing import Final

import orjson
from gunicorn.http import errors

from bff.observe.log import logger

_STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (errors.LimitRequestLine, 414),
    (errors.LimitRequestHeaders, 431),
    (errors.ExpectationFailed, 417),
    (errors.UnsupportedTransferCoding, 501),
    (errors.ForbiddenProxyRequest, 403),
    # headers of the app's response; listed before ParseException, their base class
    (errors.InvalidResponseHeader, 500),
    (errors.InvalidResponseHeaderName, 500),
    (errors.ConfigurationProblem, 500),
    (errors.ParseException, 400),
    (OSError, 400),  # errors of TLS
)
_FIRST_SERVER_ERROR: Final = 500


def refusal_of(error: Exception) -> bytes:
    """Log an error, and return the complete answer to a request that could not be read or served.

    Neither contains any part of the request, which may have credentials.
    """
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    request_id = f"{getrandbits(128):032x}"
    known = {"id": request_id, "status": status}
    if status == _FIRST_SERVER_ERROR:
        logger.error("unexpected %s", type(error).__name__, extra=known, exc_info=error)
    else:
        logger.warning("malformed request", extra=known | {"reason": type(error).__name__})
    title = HTTPStatus(status).phrase
    body = orjson.dumps({"title": title, "status": status, "id": request_id})
    head = (
        f"HTTP/1.1 {status} {title}",
        f"Date: {formatdate(usegmt=True)}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {request_id}",
    )
    return "\r\n".join((*head, "", "")).encode() + body
