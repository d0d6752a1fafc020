"""Writes log lines on a thread of its own: no request waits for another's, or for the disk."""

import logging
import os
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import sleep
from typing import Final, TextIO

_MOST: Final = 10_000  # lines that wait; more than that is not kept up with
_TOGETHER: Final = 256  # lines written at once
_GATHER: Final = (
    0.01  # seconds that a line waits for others: to be woken for each costs a request more
)
_PATIENCE: Final = 2.0  # seconds that an end waits for what is left


class Writer(logging.Handler):
    """A handler whose lines are in the stream a moment later, in order; all of them at the end.

    Where the stream takes none for so long that thousands wait, further lines are dropped, and
    counted in the first line after that.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: SimpleQueue[str | Event] = SimpleQueue()
        self._starting = Lock()
        self._owner = 0  # the process whose thread writes; after a fork there is none
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a line on."""
        if self._owner != os.getpid():
            self._start()
        if self._lines.qsize() > _MOST:
            self._dropped += 1
            return
        try:
            self._lines.put(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler: the log never fails what it tells of
            self.handleError(record)

    def flush(self) -> None:
        """Wait until everything so far is written, for a while."""
        if self._owner == os.getpid():
            written = Event()
            self._lines.put(written)
            written.wait(_PATIENCE)

    def _start(self) -> None:
        with self._starting:
            if self._owner != os.getpid():
                self._lines = SimpleQueue()  # what another process has left in it is its to write
                Thread(target=self._write, args=(self._lines,), daemon=True).start()
                self._owner = os.getpid()

    def _write(self, lines: "SimpleQueue[str | Event]") -> None:
        while True:
            taken = [lines.get()]
            sleep(_GATHER)
            while len(taken) < _TOGETHER and not lines.empty():
                taken.append(lines.get())
            text = "".join(f"{each}\n" for each in taken if isinstance(each, str))
            if self._dropped:
                text, self._dropped = f'{text}{{"dropped":{self._dropped}}}\n', 0
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                pass  # nobody reads it any more, or it was closed: there is nowhere to say so
            for each in taken:
                if isinstance(each, Event):
                    each.set()
