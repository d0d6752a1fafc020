"""Tries to load a configuration in a child process, so that a failure has no effect on the master.

gunicorn ends the whole service if a worker cannot boot. So on SIGHUP a child process first loads
the configuration and makes the app; this also leaves no partly imported modules in the master.
"""

import os
import signal
import traceback
from typing import Final, NoReturn

from bff.app import create_app
from bff.declare import snapshot
from bff.declare.settings import Settings
from bff.errors import ConfigError

_PIPE: Final = 60_000  # bytes; below the capacity of a pipe, so that writing does not block
_TIMEOUT: Final = (
    60  # seconds; the master waits for the child, and does not supervise workers meanwhile
)


def try_configuration(settings: Settings) -> str:
    """The reason why the configuration cannot be served; empty if it can be."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _load_and_exit(settings, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        problems = pipe.read().decode()
    loaded = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return "" if loaded else problems or "it could not be loaded"


def _load_and_exit(settings: Settings, writer: int) -> NoReturn:
    signal.alarm(_TIMEOUT)
    try:
        snapshot.load(settings.config)
        create_app(settings=settings)
    except ConfigError as error:
        os.write(writer, str(error).encode()[:_PIPE])
    except BaseException:  # noqa: BLE001 - the child must end here after any error
        os.write(writer, traceback.format_exc().encode()[:_PIPE])
    else:
        os._exit(0)
    os._exit(1)
