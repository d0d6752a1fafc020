"""Responses with a streamed body, which own the resources that it is read with.

A server closes a response when its body ends or breaks off. If building or sending its head raises,
it is closed here; otherwise a connection and a slot of the service would never be released.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class StreamingResponse(Response):
    """A response that releases its resources, however it ends."""

    def release_on_close(self, resources: ExitStack) -> "StreamingResponse":
        """Take over resources, and release them when the response is closed."""
        self.call_on_close(resources.pop_all().close)
        return self

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Send it."""
        try:
            return super().__call__(environ, start_response)
        except BaseException:
            self.close()
            raise
