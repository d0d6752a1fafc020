"""What gunicorn's worker answers to requests that never reach the app (RFC 9457)."""

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
    # a header of an answer is the app's fault; both are ParseExceptions too
    (errors.InvalidResponseHeader, 500),
    (errors.InvalidResponseHeaderName, 500),
    (errors.ConfigurationProblem, 500),
    (errors.ParseException, 400),
    (OSError, 400),  # of TLS
)
_FIRST_SERVER_ERROR: Final = 500


def refusal_of(error: Exception) -> bytes:
    """The whole answer to a request that could not be read or served; it is logged as well.

    Neither has a word of the request, which may hold a credential.
    """
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    own = f"{getrandbits(128):032x}"
    known = {"id": own, "status": status}
    if status == _FIRST_SERVER_ERROR:
        logger.error("unforeseen %s", type(error).__name__, extra=known, exc_info=error)
    else:
        logger.warning("malformed request", extra=known | {"reason": type(error).__name__})
    title = HTTPStatus(status).phrase
    body = orjson.dumps({"title": title, "status": status, "id": own})
    head = (
        f"HTTP/1.1 {status} {title}",
        f"Date: {formatdate(usegmt=True)}",
        "Connection: close",
        "Content-Type: application/problem+json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-Id: {own}",
    )
    return "\r\n".join((*head, "", "")).encode() + body
