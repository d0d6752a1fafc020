"""A logging handler that writes on a background thread, so that no request waits for the disk."""

import logging
import os
from queue import SimpleQueue
from threading import Event, Lock, Thread
from time import sleep
from typing import Final, TextIO

_MAX_QUEUED: Final = 10_000  # lines; further ones are dropped
_BATCH: Final = 256  # lines written at once
_LINGER: Final = 0.01  # seconds to collect a batch: a wake-up for each line slows requests down
_FLUSH_TIMEOUT: Final = 2.0  # seconds


class Writer(logging.Handler):
    """Queues lines and writes them in order; `flush` waits for all of them.

    If the stream blocks for so long that 10,000 lines are queued, further ones are dropped; the
    next written line is `{"dropped": N}`.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: SimpleQueue[str | Event] = SimpleQueue()
        self._starting = Lock()
        self._owner = 0  # the process whose thread writes; after a fork there is none
        self._dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line."""
        if self._owner != os.getpid():
            self._start()
        if self._lines.qsize() > _MAX_QUEUED:
            self._dropped += 1
            return
        try:
            self._lines.put(self.format(record))
        except Exception:  # noqa: BLE001 - as in every handler: logging must not fail a request
            self.handleError(record)

    def flush(self) -> None:
        """Wait until all queued lines are written, for 2 s at most."""
        if self._owner == os.getpid():
            written = Event()
            self._lines.put(written)
            written.wait(_FLUSH_TIMEOUT)

    def _start(self) -> None:
        with self._starting:
            if self._owner != os.getpid():
                self._lines = SimpleQueue()  # lines queued before a fork are the parent's to write
                Thread(target=self._write, args=(self._lines,), daemon=True).start()
                self._owner = os.getpid()

    def _write(self, lines: "SimpleQueue[str | Event]") -> None:
        while True:
            taken = [lines.get()]
            sleep(_LINGER)
            while len(taken) < _BATCH and not lines.empty():
                taken.append(lines.get())
            text = "".join(f"{each}\n" for each in taken if isinstance(each, str))
            if self._dropped:
                text, self._dropped = f'{text}{{"dropped":{self._dropped}}}\n', 0
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                pass  # the stream is closed: there is no place to report it
            for each in taken:
                if isinstance(each, Event):
                    each.set()
