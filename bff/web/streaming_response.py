"""Responses whose bodies are still to come, and what is held until they end.

A server closes a response once it is sent, or was cut short. One that never gets as far, because
building or sending its head raises, is closed here: else a place of a service would be lost.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from flask import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class StreamingResponse(Response):
    """A response that releases what its body is read with, however it ends."""

    def owns(self, held: ExitStack) -> "StreamingResponse":
        """Release what is held when it is closed, and no earlier."""
        self.call_on_close(held.pop_all().close)
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
