"""The cache's connection to Redis: flask-caching's backend, and a channel of invalidations."""

from hashlib import blake2b
from typing import Any, Final

import redis
from flask_caching.backends.rediscache import RedisCache

from bff.cache.serializer import PlainSerializer
from bff.store.redis_address import RedisAddress
from bff.store.redis_client import ClientLimits, connect

# Without a limit of connections: at one, redis-py raises, and an error is taken for an outage.
_LIMITS: Final = ClientLimits(timeout=0.25)
_CHANNEL_WAIT: Final = 1.0  # seconds for the confirmation of a subscription


class _Backend(RedisCache):
    serializer: Any = PlainSerializer()


class RedisConnection:
    """One client for a Redis: the backend of entries, and a channel that processes publish on.

    Args:
        address: of any kind; a Cluster is asked at once, the others when they are first used.

    Raises:
        redis.RedisError: the Cluster cannot be reached.
    """

    def __init__(self, address: RedisAddress) -> None:
        self._redis = connect(address, _LIMITS)
        self.backend: Any = _Backend(host=self._redis)
        self._channel: Any = None
        self.known = ""

    def incarnation(self) -> str:
        """An identifier of this Redis, which is another one after a restart or a failover.

        A restarted or promoted Redis may hold older data than what was invalidated in the meantime
        (it was saved, or replicated, before). Keys begin with this identifier, so such data is
        never found again.
        """
        cluster = isinstance(self._redis, redis.RedisCluster)
        target = {"target_nodes": redis.RedisCluster.PRIMARIES} if cluster else {}
        info = self._redis.info("server", **target)
        ids = [info["run_id"]] if "run_id" in info else [node["run_id"] for node in info.values()]
        epoch = self._redis.get("bff:epoch") or b""
        found = blake2b("".join(sorted(ids)).encode() + epoch, digest_size=8).hexdigest()
        self.known = self.known or found
        return found

    def start_epoch(self) -> None:
        """Invalidate everything in this Redis, for all processes."""
        self._redis.incr("bff:epoch")
        self.known = ""

    def subscribe(self, channel: str) -> None:
        """Subscribe to a channel; it is confirmed before this returns.

        Raises:
            redis.RedisError: it was not.
        """
        self._channel = self._redis.pubsub()
        self._channel.subscribe(channel)
        if self._channel.get_message(timeout=_CHANNEL_WAIT) is None:
            raise redis.ConnectionError("the subscription was not confirmed")

    def receive(self, seconds: float) -> str | None:
        """The next message; "" for a reply to a ping, None if nothing came within `seconds`."""
        message = self._channel.get_message(timeout=seconds)
        if message is None:
            return None
        if message["type"] != "message":
            return ""
        return str(message["data"].decode("ascii", "replace"))

    def ping(self) -> None:
        """Send a ping on the channel; `receive` returns its reply."""
        self._channel.ping()

    def publish(self, channel: str, text: str) -> None:
        """Send a message to all subscribers."""
        self._redis.publish(channel, text)

    def close(self) -> None:
        """Close the channel and the client."""
        for closable in (self._channel, self._redis):
            try:
                if closable is not None:
                    closable.close()
            except (redis.RedisError, OSError):
                continue  # the connection was broken already
