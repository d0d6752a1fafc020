"""The thread that does the I/O of requests whose mailbox has no poller."""

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Final

from bff.observe.log import logger
from bff.upstream.sockets.idle import IdleConnections
from bff.upstream.sockets.poller import Poller, poller_of_this_thread
from bff.upstream.thread_pool import ThreadPool

_SWEEP: Final = 5.0  # seconds between two sweeps of idle connections
_PAUSE: Final = 0.01  # seconds after an unexpected exception, to avoid a busy loop
_DECODERS: Final = 4
_SMALL: Final = 16 * 1024  # bytes; larger bodies are decoded on another thread


class EventLoop:
    """A poller on a separate thread, which does I/O and closes expired idle connections.

    Args:
        idle: the idle connections to sweep.

    The thread is started on demand, and does not refer to the exchange.
    """

    def __init__(self, idle: Iterable[IdleConnections]) -> None:
        self._idle = tuple(idle)
        self._lock = Lock()
        self._poller: Poller | None = None
        self._over = False
        self._decoders = ThreadPool(_DECODERS, "bff-upstream-unpack")

    def poller(self) -> Poller:
        """The poller of the thread, which is started if it does not run yet.

        Raises:
            RuntimeError: the thread cannot be started.
        """
        if self._poller is None:
            with self._lock:
                if self._poller is None:
                    self._poller = self._start()
        return self._poller

    def decode(self, size: int, work: Callable[[], None], *, coded: bool) -> None:
        """Run `work`, which decodes a body; on another thread if the body is large or coded."""
        if size > _SMALL or coded:
            try:
                self._decoders.submit(work)
            except RuntimeError:  # no thread can be started
                work()
        else:
            work()

    def close(self) -> None:
        """End the threads after their current work, without waiting for them."""
        self._over = True
        if self._poller is not None:
            self._poller.post(_nothing)
        else:
            self._close_idle()
        self._decoders.close()

    def _start(self) -> Poller:
        made: SimpleQueue[Poller | OSError] = SimpleQueue()
        Thread(target=self._run, args=(made,), name="bff-upstream-loop", daemon=True).start()
        poller = made.get()
        if isinstance(poller, Poller):
            return poller
        raise RuntimeError(f"the event loop has no descriptor: {poller}")

    def _run(self, made: "SimpleQueue[Poller | OSError]") -> None:
        try:
            poller = poller_of_this_thread()
        except OSError as error:
            made.put(error)
            return
        made.put(poller)
        swept = monotonic()
        while not self._over or len(poller):
            try:
                poller.run_once(_SWEEP)
            except Exception as error:  # noqa: BLE001 - the thread serves other requests
                logger.error("unexpected %s", type(error).__name__, exc_info=error)
                sleep(_PAUSE)
            now = monotonic()
            if now >= swept + _SWEEP:
                swept = now
                for each in self._idle:
                    each.sweep(now)
        self._close_idle()

    def _close_idle(self) -> None:
        for each in self._idle:
            each.close()


def _nothing() -> None:
    """A job without effect: it wakes the thread, which then ends."""
