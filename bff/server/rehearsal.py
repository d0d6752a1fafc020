"""Tries a configuration in a child process, where what goes wrong does no harm.

gunicorn ends the whole service when a worker cannot boot. So on SIGHUP a child first loads the
configuration and builds the app of it, which also leaves nothing half loaded in the master.
"""

import os
import signal
import traceback
from typing import Final, NoReturn

from bff.app import create_app
from bff.declare import snapshot
from bff.declare.settings import Settings
from bff.errors import ConfigError

_PIPE: Final = 60_000  # bytes that a pipe holds, with room to spare
_LONGEST: Final = 60  # seconds; the master, which watches the workers, waits for the child


def rehearse(settings: Settings) -> str:
    """The reason why the configuration cannot be served; empty if it can."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _load_and_exit(settings, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        problems = pipe.read().decode()
    good = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return "" if good else problems or "it could not be loaded"


def _load_and_exit(settings: Settings, writer: int) -> NoReturn:
    signal.alarm(_LONGEST)
    try:
        snapshot.take(settings.config)
        create_app(settings=settings)
    except ConfigError as error:
        os.write(writer, str(error).encode()[:_PIPE])
    except BaseException:  # noqa: BLE001 - whatever it is, this child must end here
        os.write(writer, traceback.format_exc().encode()[:_PIPE])
    else:
        os._exit(0)
    os._exit(1)
