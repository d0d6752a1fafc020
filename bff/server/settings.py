"""The settings of gunicorn, computed from the settings of the process."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gunicorn.config import Config

from bff.declare.folder import gunicorn_files
from bff.declare.settings import Settings
from bff.errors import ConfigError
from bff.server.arguments import apply_values, read_arguments
from bff.server.worker import Worker

KEEPALIVE: Final = 75  # seconds; longer than that of nginx, see below
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - for the heartbeat file, which gunicorn unlinks
_LEAST_CONNECTIONS: Final = 1000
_CONNECTIONS_PER_THREAD: Final = 8
_OTHER_FILES: Final = 256


def gunicorn_config(settings: Settings, environ: Mapping[str, str] = os.environ) -> Config:
    """The configuration of gunicorn, without the hooks.

    Raises:
        ConfigError: GUNICORN_CMD_ARGS is invalid, or the working directory has a
            `gunicorn.conf.py`, which gunicorn's own command would read.
    """
    if found := list(gunicorn_files(Path.cwd())):
        raise ConfigError(found)
    arguments = read_arguments(environ)
    config = Config(prog="bff")
    apply_values(config, gunicorn_settings(settings, environ), "settings")
    apply_values(config, arguments, "GUNICORN_CMD_ARGS")
    return config


def gunicorn_settings(settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of gunicorn's settings, by name."""
    return {
        "proc_name": "bff",
        # The app distinguishes the public and the management listener by the socket of a request.
        "bind": [address for address in (settings.bind, settings.management_bind) if address],
        # Threads, clients and sockets start in the worker, after the fork: never preload.
        "preload_app": False,
        "worker_class": Worker,
        "workers": settings.workers,
        "threads": settings.threads,
        # Idle keep-alive connections count too, so this exceeds the number of threads by far.
        "worker_connections": max(_LEAST_CONNECTIONS, _CONNECTIONS_PER_THREAD * settings.threads),
        # Bounds memory leaks of libraries; with jitter, so that not all processes end at once. A
        # process that ends accepts no more connections, and finishes its requests.
        "max_requests": settings.max_requests,
        "max_requests_jitter": settings.max_requests // 10,
        # Longer than the keep-alive timeout of nginx (60 s), so that nginx closes idle connections:
        # otherwise it may send a request on a connection that is being closed.
        "keepalive": KEEPALIVE,
        # For a worker that hangs; views have their own deadlines. `Hooks` raises both if a view may
        # take longer.
        "timeout": 30,
        "graceful_timeout": 0,
        # As in nginx, which rejects a longer request line or a larger header.
        "limit_request_line": 8190,
        "limit_request_field_size": 16_380,
        # The proxies whose X-Forwarded-Proto is trusted; by default those on this host.
        "forwarded_allow_ips": environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1"),
        # Only the header that nginx overwrites; clients cannot set other variables of WSGI.
        "secure_scheme_headers": {"X-FORWARDED-PROTO": "https"},
        "forwarder_headers": "",
        "control_socket_disable": True,
        # The app has its own access log, without queries.
        "accesslog": None,
        "disable_redirect_access_to_syslog": True,
        # With the heartbeat file on a slow disk, a worker would seem to hang.
        "worker_tmp_dir": str(_SHARED_MEMORY) if os.access(_SHARED_MEMORY, os.W_OK) else None,
    }


def descriptors_needed(config: Config, pool: int) -> int:
    """Descriptors of a worker: connections of clients and to services, wake-ups of threads, files.

    Args:
        config: the settings of gunicorn.
        pool: concurrent upstream requests.
    """
    connections: int = config.worker_connections
    threads: int = config.threads
    return connections + threads + 2 * pool + _OTHER_FILES
