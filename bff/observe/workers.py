"""Ends of workers, as gunicorn's master logs them: each becomes an event, in place of the line.

gunicorn tells its hooks that a worker has ended, and its log alone how.
"""

import logging
import os
from pathlib import Path
from signal import Signals
from typing import Final

from bff.observe.events import Event, Observer, WorkerEnded
from bff.observe.instruments import WORKERS_ENDED

# Its words, of which tests make sure; the arguments are the process id and what ended it.
_KILLED: Final = "Worker (pid:%s) was sent %s!"
_FAILED: Final = "Worker (pid:%s) exited with code %s."
_STUCK: Final = "WORKER TIMEOUT (pid:%s)"
TIMEOUT: Final = "timeout"
EXIT: Final = "exit"
# What is counted at zero before there is one; further signals are counted under their names.
EXPECTED: Final = (TIMEOUT, EXIT, *(each.name for each in (Signals.SIGKILL, Signals.SIGSEGV)))


def count_ended(event: Event) -> None:
    """Observe, and count among the figures of all processes; the master has none of its own."""
    if isinstance(event, WorkerEnded):
        from bff.observe.shares import VARIABLE, count  # where prometheus_client may be imported

        count(Path(os.environ[VARIABLE]), WORKERS_ENDED, (event.reason,))


class WorkerEnds(logging.Filter):
    """A filter of gunicorn's error log in the master.

    Args:
        observer: is told of each end that is not expected.
    """

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer
        self._stuck: set[int] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is still to be written."""
        said, arguments = str(record.msg), record.args
        if not isinstance(arguments, tuple) or not arguments:
            return True
        if said == _STUCK:
            self._stuck.add(int(str(arguments[0])))
            return True
        how = str(arguments[-1])
        if said.startswith(_KILLED) and how != Signals.SIGTERM.name:
            self._ended(int(str(arguments[0])), how)
            return False
        if said == _FAILED:
            self._ended(int(str(arguments[0])), EXIT)
            return False
        return True

    def _ended(self, process: int, how: str) -> None:
        stuck = process in self._stuck
        self._stuck.discard(process)
        self._observer(WorkerEnded(process, TIMEOUT if stuck else how))
