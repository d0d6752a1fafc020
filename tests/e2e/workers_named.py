"""`bff serve`, where each answer has the process that it is from in `X-Worker`.

`python -m tests.e2e.workers_named`, with all settings in the environment.
"""

import os
from pathlib import Path

from bff.app import create_app
from bff.cli.serve import run


def naming():
    """The app in a worker."""
    app, worker = create_app(), str(os.getpid())

    def name(environ, start_response):
        def start(status, headers, *rest):
            return start_response(status, [*headers, ("X-Worker", worker)], *rest)

        return app(environ, start)

    return name


if __name__ == "__main__":
    run(Path(os.environ["BFF_CONFIG"]), naming)
