"""A store in Redis, also through Sentinel or in a Cluster, and the channel of its changes.

One thread holds the connection on which other processes tell of the tags that they have bumped.
While it has that connection the store is used; while it has not, neither the store nor what is in
memory is: what is not heard of cannot be trusted. That is the breaker, too: only this thread
ever waits for a Redis that is away, again and again, and no request does.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final, TypeVar

import redis

from bff.cache.clients import Client, connect
from bff.cache.entry import CacheEntry
from bff.cache.store import BackendStore, StoreListener, StoreUnavailable

_CHANNEL: Final = "bff:changes"
_REFUSED: Final = "!"  # no tag: Redis takes no writes, and what is there may be old
_FIRST_WAIT: Final = 0.2  # seconds that a look-up waits for the first connection of a process
_HEARTBEAT: Final = 0.5  # seconds between two looks at whether the channel still lives
_SILENCE: Final = 1.0  # seconds without an answer after which it does not
_POLL: Final = 0.1
_BACK_OFF: Final = (0.1, 0.2, 0.5, 1.0)  # seconds between attempts to connect
_MOST_PENDING: Final = 10_000
Result = TypeVar("Result")
_log: Final = logging.getLogger("bff")


class RedisStore:
    """Entries in Redis.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+sentinel://` or `redis+cluster://`.
        listener: told of what others bump, and where the channel is lost.

    The thread starts with the first use, so one may be made before a fork.
    """

    def __init__(self, url: str, listener: StoreListener) -> None:
        self._url, self._listener = url, listener
        self._lock = Lock()
        self._thread: Thread | None = None
        self._stop = Event()
        self._tried = Event()
        self._up: tuple[Client, BackendStore] | None = None
        self._pending: set[str] = set()  # bumped here while Redis was away: told when it is back
        self._losses = 0

    def ready(self) -> bool:
        """Whether the channel is there."""
        if self._thread is None:
            self._begin()
            return True  # the one look-up that finds out waits beside the work
        return self._up is not None or not self._tried.is_set()

    def await_ready(self) -> bool:
        """The same; the first time after a short wait for the connection."""
        self._begin()
        self._tried.wait(_FIRST_WAIT)
        self._tried.set()  # one short wait is enough for everybody
        return self._up is not None

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """See `Store`."""
        return self._asked(lambda _, backed: backed.generations(tags))

    def get(self, address: str) -> CacheEntry | None:
        """See `Store`."""
        return self._asked(lambda _, backed: backed.get(address))

    def put(self, address: str, entry: CacheEntry) -> None:
        """See `Store`."""
        self._asked(lambda _, backed: backed.put(address, entry))

    def bump(self, tags: Iterable[str]) -> None:
        """See `Store`; what cannot be told now is told before the store is used again."""
        tags = list(tags)
        self.await_ready()
        with self._lock:
            self._pending.update(tags)

        def bumped(client: Client, backed: BackendStore) -> None:
            try:
                backed.bump(tags)
            except Exception:  # noqa: BLE001 (see _run)
                self._drop(client, backed, tags)
            client.publish(_CHANNEL, ",".join(tags))

        self._asked(bumped)
        with self._lock:
            self._pending.difference_update(tags)

    def _drop(self, client: Client, backed: BackendStore, tags: list[str]) -> None:
        """A Redis that is full still removes keys; from one that takes no writes all are sent off.

        They come back when it takes writes again, and what was not told is told before.
        """
        try:
            backed.drop(tags)
        except Exception:
            client.publish(_CHANNEL, _REFUSED)
            raise

    def stats(self) -> dict[str, Any]:
        """How it does."""
        state = "up" if self._up else "away" if self._tried.is_set() else "not used yet"
        with self._lock:
            untold = len(self._pending)
        return {"store": "redis", "state": state, "losses": self._losses, "untold": untold}

    def close(self) -> None:
        """End the thread; waits for it no longer than it can take."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join(5)

    def _asked(self, question: Callable[[Client, BackendStore], Result]) -> Result:
        up = self._up
        if up is None:
            raise StoreUnavailable("there is no connection to Redis")
        try:
            return question(*up)
        except Exception as error:  # noqa: BLE001  (see _run: whoever reads stumbles anywhere)
            self._lose(up, error)
            raise StoreUnavailable(type(error).__name__) from None

    def _lose(self, up: tuple[Client, BackendStore] | None, error: BaseException) -> None:
        """Trust nothing from now on; whoever notices first does so for all."""
        with self._lock:
            if up is None or self._up is not up:
                return
            self._up = None
            self._losses += 1
        self._listener.lost()
        _log.warning("Redis is away: %s", type(error).__name__)

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                thread = Thread(target=self._run, name="bff-cache-channel", daemon=True)
                with suppress(RuntimeError):  # no thread: the next use tries again
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            up: tuple[Client, BackendStore] | None = None
            client: Client | None = None
            try:
                client = connect(self._url)
                up = self._arrive(client)
                failures = 0
                self._listen(client, up)
            except Exception as error:  # noqa: BLE001  (without this thread nothing is ever heard)
                self._lose(up, error)
                if not failures and up is None:
                    _log.warning("Redis cannot be reached: %s", type(error).__name__)
            finally:
                if self._stop.is_set():
                    self._up = None
                if client is not None:
                    client.close()  # also under those who just read: what they raise is not ours
            self._tried.set()
            wait = _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]
            failures += 1
            self._stop.wait(wait)

    def _arrive(self, client: Client) -> tuple[Client, BackendStore]:
        """Connected: hear first, then tell what could not be told, then use it."""
        client.subscribe(_CHANNEL)
        backed = BackendStore(client.backend, f"bff:{client.incarnation()}:")
        self._listener.lost()
        with self._lock:
            untold = list(self._pending)
            if len(untold) > _MOST_PENDING:
                client.incarnate()
                backed = BackendStore(client.backend, f"bff:{client.incarnation()}:")
                untold = []
        backed.probe()
        if untold:
            backed.bump(untold)
            client.publish(_CHANNEL, ",".join(untold))
        with self._lock:
            self._pending.difference_update(untold)
            self._up = up = (client, backed)
        self._tried.set()
        return up

    def _listen(self, client: Client, up: tuple[Client, BackendStore]) -> None:
        """Pass on what is heard, until the channel is lost."""
        answered = asked = monotonic()
        while not self._stop.is_set() and self._up is up:
            message = client.hear(_POLL)
            now = monotonic()
            if message is not None:
                answered = now
                if message == _REFUSED:
                    raise redis.ConnectionError("it takes no writes")
                if message:
                    self._listener.changed(message.split(","))
            if now - asked >= _HEARTBEAT:
                asked = now
                client.ping()
                if client.incarnation() != client.known:
                    raise redis.ConnectionError("another Redis has taken over")
            if now - answered > _SILENCE + _HEARTBEAT:
                raise redis.ConnectionError("the channel is silent")
