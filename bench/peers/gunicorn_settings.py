"""The app's own settings of gunicorn (`bff.server.settings`), for pages without its worker."""

import os
from typing import Final

from bff.declare.settings import Settings
from bff.server.settings import gunicorn_settings

_ALIKE: Final = (
    *("workers", "threads", "worker_connections", "keepalive", "timeout"),
    *("control_socket_disable", "accesslog", "worker_tmp_dir"),
)

# One worker, with as many threads as bench/contenders.py gives the app.
globals().update(
    {
        name: value
        for name, value in gunicorn_settings(Settings(workers=1, threads=16), os.environ).items()
        if name in _ALIKE
    }
)
bind = os.environ["BENCH_BIND"]
worker_class = "gthread"
