"""The processes of test_sinks.py: `python -m tests.e2e.sinks.processes app|provider`.

The app is as `bff serve` makes it, but that its provider may be one for development; the provider
is that of `bff demo`.
"""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

FOLDER = Path(__file__).parent / "config"


def app() -> "Flask":
    from bff.app import create_app
    from bff.declare import snapshot
    from bff.declare.settings import Settings

    if file := os.environ.get("LIBRARIES_LOG"):
        root, also = logging.getLogger(), logging.FileHandler(file)
        also.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        root.addHandler(also)
        root.setLevel(logging.DEBUG)
    settings = Settings.from_env()
    made = create_app(snapshot.current(settings.config), settings, development=True)
    logging.getLogger("flask_cors").setLevel(logging.NOTSET)  # it has set its own
    return made


def provider() -> None:
    from bff.cli.local_app import provider as demo

    word = os.environ["PLANTED"]
    for place in (sys.stdout, sys.stderr):
        place.write(f"{place.name} {word}\n")
        place.flush()
    logging.getLogger("werkzeug").error("log %s", word)
    demo()


if __name__ == "__main__":
    if sys.argv[1] == "provider":
        provider()
    else:
        from bff.server.application import serve

        serve(app)
