"""Unexpected exits of workers: a filter turns the lines of gunicorn's log into events.

gunicorn's hooks report that a worker has ended; the signal or exit code is only in its log.
"""

import logging
import os
from pathlib import Path
from signal import Signals
from typing import Final

from bff.observe.events import Event, Observer, WorkerEnded
from bff.observe.instruments import WORKERS_ENDED

# gunicorn's messages, which tests compare with its source; arguments: process id, and the cause
_KILLED: Final = "Worker (pid:%s) was sent %s!"
_FAILED: Final = "Worker (pid:%s) exited with code %s."
_STUCK: Final = "WORKER TIMEOUT (pid:%s)"
TIMEOUT: Final = "timeout"
EXIT: Final = "exit"
# Reasons whose counter starts at zero; other signals are added under their names.
EXPECTED: Final = (TIMEOUT, EXIT, *(each.name for each in (Signals.SIGKILL, Signals.SIGSEGV)))


def count_ended(event: Event) -> None:
    """Observe, and count in the merged metrics; the master process has no files of its own."""
    if isinstance(event, WorkerEnded):
        from bff.observe.multiprocess import (  # where prometheus_client may be imported
            VARIABLE,
            count,
        )

        count(Path(os.environ[VARIABLE]), WORKERS_ENDED, (event.reason,))


class WorkerExitFilter(logging.Filter):
    """A logging filter for gunicorn's error log in the master process.

    Args:
        observer: receives a `WorkerEnded` for each unexpected exit.
    """

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer
        self._stuck: set[int] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is still logged."""
        message, arguments = str(record.msg), record.args
        if not isinstance(arguments, tuple) or not arguments:
            return True
        if message == _STUCK:
            self._stuck.add(int(str(arguments[0])))
            return True
        how = str(arguments[-1])
        if message.startswith(_KILLED) and how != Signals.SIGTERM.name:
            self._ended(int(str(arguments[0])), how)
            return False
        if message == _FAILED:
            self._ended(int(str(arguments[0])), EXIT)
            return False
        return True

    def _ended(self, process: int, how: str) -> None:
        stuck = process in self._stuck
        self._stuck.discard(process)
        self._observer(WorkerEnded(process, TIMEOUT if stuck else how))
