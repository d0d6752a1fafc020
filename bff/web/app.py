"""Flask and Werkzeug classes, without the work for each request that this app does not need."""

from collections.abc import Callable
from typing import IO, Any

from flask import Flask, Request, Response
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.routing import Rule
from werkzeug.utils import cached_property


class UnreadableBody(BadRequest):
    """A body that is malformed, cut off, or not sent in time; a 400 wherever it is read."""

    description = "the body cannot be read"


class ReadableRequest(Request):
    """A request whose body raises UnreadableBody, whatever exception the server raises."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body."""
        coded = "HTTP_TRANSFER_ENCODING" in self.environ
        length = 0 if coded else self.content_length or 0
        return _Body(super().stream, length)  # type: ignore[return-value] # only its `read` is used


class _Body:
    """A stream that raises UnreadableBody whenever the body cannot be read.

    1. A malformed chunk or trailer: gunicorn raises ParseException.
    2. A connection that is reset or times out: it raises OSError.
    3. A client that closes before it has sent the whole body: gunicorn reports the end of the body.

    A body that is too large raises Werkzeug's 413.

    Args:
        length: the minimum of bytes, by Content-Length; 0 for chunks.
    """

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream, self._left = stream, length

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, or all.

        Raises:
            UnreadableBody: it is malformed, cut off, or not sent in time.
            RequestEntityTooLarge: it is larger than allowed.
        """
        try:
            data = self._stream.read(size)
        except HTTPException as error:
            if error.code == BadRequest.code:
                raise UnreadableBody from None
            raise
        except Exception:  # noqa: BLE001 - servers raise different exceptions
            raise UnreadableBody from None
        self._left -= len(data)
        if self._left > 0 and (size < 0 or not data):
            raise UnreadableBody
        return data


class Route(Rule):
    """A rule that compiles the functions that build its URLs on first use.

    This app only matches requests, and builds no URL. Compiling two functions for each rule took a
    tenth of the start of a worker with hundreds of views.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002 - as Werkzeug declares it
        compiled = super()._compile_builder

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build


class App(Flask):
    """An app without async views, so that no function has to be checked for being a coroutine."""

    request_class = ReadableRequest
    url_rule_class = Route

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:  # noqa: FBT001, FBT002 - as Flask declares it
        """The response; closed if finalizing it raises, as an error response replaces it."""
        try:
            return super().finalize_request(rv, from_error_handler)
        except BaseException:
            if isinstance(rv, Response):
                rv.close()
            raise
