"""Flask, without what it does for every request and none of ours needs."""

from collections.abc import Callable
from typing import Any

from flask import Flask


class App(Flask):
    """An app whose views and hooks are plain functions: none has to be asked whether it is."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself."""
        return func
