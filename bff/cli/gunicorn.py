"""gunicorn, started by us: its settings file cannot take the service down on a reload."""

from pathlib import Path
from typing import Any

from gunicorn.app.wsgiapp import WSGIApplication


class Server(WSGIApplication):  # type: ignore[misc] # gunicorn has no types
    """gunicorn with the settings of one file, and an app that may be another than the file's."""

    cfg: Any

    def __init__(self, settings: Path, app_uri: str = "") -> None:
        self._settings, self._app_uri = str(settings), app_uri
        super().__init__(prog="bff")

    def load_config(self) -> None:
        """Read the settings file; the command line is ours, not gunicorn's."""
        self.load_config_from_file(self._settings)
        self.app_uri = self._app_uri or self.cfg.wsgi_app

    def reload(self) -> None:
        """Read it again; what cannot be read changes nothing."""
        kept = self.cfg
        try:
            super().reload()
        except SystemExit:
            self.cfg = kept
