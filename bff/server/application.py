"""The gunicorn application: serves a WSGI app with settings that are computed once."""

import sys
from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

from bff.app import create_app
from bff.declare.settings import Settings
from bff.errors import ConfigError
from bff.server.hooks import Hooks
from bff.server.settings import gunicorn_config


class Server(BaseApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with the settings of the process and of GUNICORN_CMD_ARGS, without a settings file.

    Args:
        settings: how the process runs.
        app: makes the WSGI app, in each worker after the fork.

    Raises:
        ConfigError: GUNICORN_CMD_ARGS is invalid, or there is a `gunicorn.conf.py`.
    """

    cfg: Any

    def __init__(self, settings: Settings, app: Callable[[], Any] = create_app) -> None:
        self._settings, self._app = settings, app
        super().__init__(prog="bff")

    def do_load_config(self) -> None:
        """Compute the settings of gunicorn."""
        self.cfg = gunicorn_config(self._settings)
        Hooks(self._settings, self.cfg).install()

    def load(self) -> Any:
        """Make the app, in a worker."""
        return self._app()

    def reload(self) -> None:
        """Keep the settings on SIGHUP: the environment that they come from cannot change."""


def serve(app: Callable[[], Any] = create_app) -> None:
    """Serve an app with the settings of the environment, until a signal ends the process.

    Prints the problems and ends the process with 2 if the settings are invalid.
    """
    try:
        server = Server(Settings.from_env(), app)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    server.run()
