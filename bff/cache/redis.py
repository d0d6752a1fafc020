"""The cache's store in Redis: entries, generations of tags, and a channel of invalidations.

One background thread of each process subscribes to the channel (Redis Pub/Sub) on which the other
processes publish the tags that they invalidate:

1. While it is subscribed, the store and the process's own memory are used.
2. When the connection is lost, neither is: an invalidation may have been missed, so that what is
   cached can no longer be trusted. Requests skip the cache without any wait.
3. The thread alone reconnects, with back-off. It is the circuit breaker: no request waits for a
   Redis that is unreachable, except for the first short wait of a process.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any, Final, TypeVar

import redis

from bff.cache.entry import CacheEntry
from bff.cache.redis_connection import RedisConnection
from bff.cache.store import BackendStore, StoreListener, StoreUnavailable
from bff.store.redis_address import parse_redis_address

_CHANNEL: Final = "bff:changes"
_READ_ONLY: Final = "!"  # a message that is no tag: Redis refuses writes, its entries may be stale
_FIRST_WAIT: Final = 0.2  # seconds that a look-up waits for the first connection of a process
_HEARTBEAT: Final = 0.5  # seconds between two pings on the channel
_SILENCE: Final = 1.0  # seconds without a reply after which the channel counts as lost
_POLL: Final = 0.1
_BACK_OFF: Final = (0.1, 0.2, 0.5, 1.0)  # seconds between attempts to connect
_MAX_PENDING: Final = 10_000
Result = TypeVar("Result")
_log: Final = logging.getLogger("bff")


class RedisStore:
    """Entries and generations in Redis.

    Args:
        url: as `bff.store.redis_address` describes it.
        listener: called with the tags that other processes invalidate, and when the channel is
            lost.

    Raises:
        ValueError: the URL is not valid.

    The thread starts with the first use, so a store may be made before a fork.
    """

    def __init__(self, url: str, listener: StoreListener) -> None:
        self._address, self._listener = parse_redis_address(url), listener
        self._lock = Lock()
        self._thread: Thread | None = None
        self._stop = Event()
        self._tried = Event()
        self._up: tuple[RedisConnection, BackendStore] | None = None
        self._pending: set[str] = set()  # invalidated while Redis was away: published on reconnect
        self._losses = 0

    def ready(self) -> bool:
        """Whether the process is subscribed, or has not tried yet; never blocks."""
        if self._thread is None:
            self._start()
            return True  # the look-up that finds out waits in parallel with the calls
        return self._up is not None or not self._tried.is_set()

    def await_ready(self) -> bool:
        """The same, after a short wait for the first connection of this process."""
        self._start()
        self._tried.wait(_FIRST_WAIT)
        self._tried.set()  # one short wait is enough for all requests
        return self._up is not None

    def generations(self, tags: Iterable[str]) -> dict[str, str]:
        """See `SharedStore`."""
        return self._use(lambda _, backed: backed.generations(tags))

    def get(self, address: str) -> CacheEntry | None:
        """See `SharedStore`."""
        return self._use(lambda _, backed: backed.get(address))

    def put(self, address: str, entry: CacheEntry) -> None:
        """See `SharedStore`."""
        self._use(lambda _, backed: backed.put(address, entry))

    def bump(self, tags: Iterable[str]) -> None:
        """See `SharedStore`; while Redis is away, tags are queued until it is back."""
        tags = list(tags)
        self.await_ready()
        with self._lock:
            self._pending.update(tags)

        def bump_and_publish(connection: RedisConnection, backed: BackendStore) -> None:
            try:
                backed.bump(tags)
            except Exception:  # noqa: BLE001 (see _run)
                self._drop(connection, backed, tags)
            connection.publish(_CHANNEL, ",".join(tags))

        self._use(bump_and_publish)
        with self._lock:
            self._pending.difference_update(tags)

    def _drop(self, connection: RedisConnection, backed: BackendStore, tags: list[str]) -> None:
        """Invalidate in a Redis that refuses writes.

        1. It is full (maxmemory): keys can still be deleted, so the generations are.
        2. It refuses deletion too (a replica, too few replicas, a full disk): every process is
           made to disconnect, and reconnects when it accepts writes. Queued tags are published
           before it is used.
        """
        try:
            backed.drop(tags)
        except Exception:
            connection.publish(_CHANNEL, _READ_ONLY)
            raise

    def stats(self) -> dict[str, Any]:
        """State, number of lost connections, and number of invalidations yet to be published."""
        state = "up" if self._up else "away" if self._tried.is_set() else "not used yet"
        with self._lock:
            pending = len(self._pending)
        return {"store": "redis", "state": state, "losses": self._losses, "untold": pending}

    def close(self) -> None:
        """End the thread; waits up to 5 s for it."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            thread.join(5)

    def _use(self, operation: Callable[[RedisConnection, BackendStore], Result]) -> Result:
        """The result of an operation; any error in it disconnects, for all requests."""
        up = self._up
        if up is None:
            raise StoreUnavailable("there is no connection to Redis")
        try:
            return operation(*up)
        except Exception as error:  # noqa: BLE001  (see _run: the client may be closed meanwhile)
            self._lose(up, error)
            raise StoreUnavailable(type(error).__name__) from None

    def _lose(self, up: tuple[RedisConnection, BackendStore] | None, error: BaseException) -> None:
        """Stop using this connection and drop the memory; the first caller does it for all."""
        with self._lock:
            if up is None or self._up is not up:
                return
            self._up = None
            self._losses += 1
        self._listener.lost()
        _log.warning("Redis is away: %s", type(error).__name__)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                thread = Thread(target=self._run, name="bff-cache-channel", daemon=True)
                with suppress(RuntimeError):  # no thread can be started: the next use tries again
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            up: tuple[RedisConnection, BackendStore] | None = None
            connection: RedisConnection | None = None
            try:
                connection = RedisConnection(self._address)
                up = self._subscribe(connection)
                failures = 0
                self._listen(connection, up)
            except Exception as error:  # noqa: BLE001  (this thread has to go on, whatever fails)
                self._lose(up, error)
                if not failures and up is None:
                    _log.warning("Redis cannot be reached: %s", type(error).__name__)
            finally:
                if self._stop.is_set():
                    self._up = None
                if connection is not None:
                    connection.close()  # also under requests that are reading: `_use` maps errors
            self._tried.set()
            wait = _BACK_OFF[min(failures, len(_BACK_OFF) - 1)]
            failures += 1
            self._stop.wait(wait)

    def _subscribe(self, connection: RedisConnection) -> tuple[RedisConnection, BackendStore]:
        """Make a new connection the one in use.

        The order matters, or an invalidation could be missed:

        1. subscribe: from here on, what others invalidate is received;
        2. drop the memory: what they invalidated before was not;
        3. publish the invalidations that were queued here while Redis was away;
        4. use it.
        """
        connection.subscribe(_CHANNEL)
        backed = BackendStore(connection.backend, f"bff:{connection.incarnation()}:")
        self._listener.lost()
        with self._lock:
            pending = list(self._pending)
            if len(pending) > _MAX_PENDING:
                connection.start_epoch()
                backed = BackendStore(connection.backend, f"bff:{connection.incarnation()}:")
                pending = []
        backed.probe()
        if pending:
            backed.bump(pending)
            connection.publish(_CHANNEL, ",".join(pending))
        with self._lock:
            self._pending.difference_update(pending)
            self._up = up = (connection, backed)
        self._tried.set()
        return up

    def _listen(
        self, connection: RedisConnection, up: tuple[RedisConnection, BackendStore]
    ) -> None:
        """Pass invalidations to the listener until the channel is lost."""
        received = pinged = monotonic()
        while not self._stop.is_set() and self._up is up:
            message = connection.receive(_POLL)
            now = monotonic()
            if message is not None:
                received = now
                if message == _READ_ONLY:
                    raise redis.ConnectionError("it takes no writes")
                if message:
                    self._listener.changed(message.split(","))
            if now - pinged >= _HEARTBEAT:
                pinged = now
                connection.ping()
                if connection.incarnation() != connection.known:
                    raise redis.ConnectionError("another Redis has taken over")
            if now - received > _SILENCE + _HEARTBEAT:
                raise redis.ConnectionError("the channel is silent")
