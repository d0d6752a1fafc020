"""Flask, without what it does for every request and none of ours needs."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response


class App(Flask):
    """An app whose views and hooks are plain functions: none has to be asked whether it is."""

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
