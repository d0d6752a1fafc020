"""The one thread that reads for requests whose mailbox no asking thread waits in."""

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Final

from bff.observe.log import logger
from bff.upstream.sockets.idle import IdleConnections
from bff.upstream.sockets.poller import Poller, poller_of_this_thread
from bff.upstream.workers import Workers

_SWEEP: Final = 5.0  # seconds between two looks for connections that have been idle for too long
_PAUSE: Final = 0.01  # seconds after what no code expects, so that it does not take the processor
_UNPACKERS: Final = 4
_SMALL: Final = 16 * 1024  # bytes of a body that the loop itself passes on


class EventLoop:
    """A poller on a thread of its own, which only moves bytes, and closes idle connections.

    Args:
        idle: the connections that are closed after a while.

    The thread starts when it is needed, and does not refer to the exchange.
    """

    def __init__(self, idle: Iterable[IdleConnections]) -> None:
        self._idle = tuple(idle)
        self._lock = Lock()
        self._poller: Poller | None = None
        self._over = False
        self._unpackers = Workers(_UNPACKERS, "bff-upstream-unpack")

    def poller(self) -> Poller:
        """The thread's poller; the thread is started if it is not.

        Raises:
            RuntimeError: it cannot be started.
        """
        if self._poller is None:
            with self._lock:
                if self._poller is None:
                    self._poller = self._start()
        return self._poller

    def unpack(self, size: int, work: Callable[[], None], *, coded: bool) -> None:
        """Have a body decoded and passed on: a large or coded one by another thread."""
        if size > _SMALL or coded:
            try:
                self._unpackers.submit(work)
            except RuntimeError:  # there is no other thread
                work()
        else:
            work()

    def close(self) -> None:
        """Let the threads end after what they are doing; waits for none of them."""
        self._over = True
        if self._poller is not None:
            self._poller.post(_nothing)
        else:
            self._close_idle()
        self._unpackers.close()

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
                poller.turn(_SWEEP)
            except Exception as error:  # noqa: BLE001 - others wait for what this thread reads
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
    """Wakes the thread, which then sees that it is over."""
