"""Flask, without the work for each request that this app does not need."""

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
    """A request whose body fails in one way, whatever the server raises while it is read."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """The body."""
        coded = "HTTP_TRANSFER_ENCODING" in self.environ
        length = 0 if coded else self.content_length or 0
        return _Body(super().stream, length)  # type: ignore[return-value] # it reads, no more


class _Body:
    """A stream that raises UnreadableBody for what is wrong with it.

    gunicorn raises ParseException for chunks and trailers that are malformed; the connection raises
    OSError where it is reset or timed out. Where a client closes before it has sent all, gunicorn
    says that the body has ended, and Werkzeug believes it. What is too large stays Werkzeug's 413.

    Args:
        length: bytes that the body has at least.
    """

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream, self._left = stream, length

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, or all.

        Raises:
            UnreadableBody: it is malformed, cut off, or did not come.
            RequestEntityTooLarge: it is larger than allowed.
        """
        try:
            data = self._stream.read(size)
        except HTTPException as error:
            if error.code == BadRequest.code:
                raise UnreadableBody from None
            raise
        except Exception:  # noqa: BLE001 - each server raises errors of its own
            raise UnreadableBody from None
        self._left -= len(data)
        if self._left > 0 and (size < 0 or not data):
            raise UnreadableBody
        return data


class Route(Rule):
    """A rule that compiles what builds its URLs only when a URL is built.

    Requests are matched, and no URL is built from a rule: compiling two functions for each took a
    tenth of the time in which a worker with hundreds of views gets ready.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002 - as Werkzeug declares it
        compiled = super()._compile_builder

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build


class App(Flask):
    """An app whose views and hooks are plain functions: none has to be asked whether it is."""

    request_class = ReadableRequest
    url_rule_class = Route

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:  # noqa: FBT001, FBT002 - as Flask declares it
        """The response; one in whose place another will be sent is closed."""
        try:
            return super().finalize_request(rv, from_error_handler)
        except BaseException:
            if isinstance(rv, Response):
                rv.close()
            raise
