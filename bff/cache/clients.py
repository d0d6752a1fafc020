"""Connections to Redis in its three forms, each with bounded waits and without retries."""

from hashlib import blake2b
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import redis
from flask_caching.backends.rediscache import (
    RedisCache,
    RedisClusterCache,
    RedisSentinelCache,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from bff.cache.serializer import PlainSerializer

_WAIT: Final = 0.25  # seconds for connecting, and for an answer; the client's own are 5, ten times
_CHANNEL_WAIT: Final = 1.0


class _Plain(RedisCache):
    serializer: Any = PlainSerializer()


class _Sentinel(RedisSentinelCache):
    serializer: Any = PlainSerializer()


class _Cluster(RedisClusterCache):
    serializer: Any = PlainSerializer()


class Client:
    """One connection to a store: its backend, and a channel.

    Args:
        backend: flask-caching's, of any of the three kinds.
    """

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        # A replica may lag behind: what was just bumped must not be read as it was.
        backend._read_client = backend._write_client  # noqa: SLF001 - flask-caching has no seam
        self._redis: Any = backend._write_client  # noqa: SLF001 - the same
        self._channel: Any = None
        self.known = ""

    def incarnation(self) -> str:
        """Which Redis this is: another one after a restart, or after a failover.

        What it holds may be older than what was bumped since it was saved or replicated, so it is
        looked at anew, by this name.
        """
        cluster = isinstance(self._redis, redis.RedisCluster)
        target = {"target_nodes": redis.RedisCluster.PRIMARIES} if cluster else {}
        told = self._redis.info("server", **target)
        ids = [told["run_id"]] if "run_id" in told else [each["run_id"] for each in told.values()]
        epoch = self._redis.get("bff:epoch") or b""
        found = blake2b("".join(sorted(ids)).encode() + epoch, digest_size=8).hexdigest()
        self.known = self.known or found
        return found

    def incarnate(self) -> None:
        """Have everything in it count as lost, for all processes."""
        self._redis.incr("bff:epoch")
        self.known = ""

    def subscribe(self, channel: str) -> None:
        """Hear what is published; it is confirmed before this returns."""
        self._channel = self._redis.pubsub()
        self._channel.subscribe(channel)
        if self._channel.get_message(timeout=_CHANNEL_WAIT) is None:
            raise redis.ConnectionError("the subscription was not confirmed")

    def hear(self, seconds: float) -> str | None:
        """What was published; "" for any other sign of life, None for none in that time."""
        message = self._channel.get_message(timeout=seconds)
        if message is None:
            return None
        if message["type"] != "message":
            return ""
        return str(message["data"].decode("ascii", "replace"))

    def ping(self) -> None:
        """Ask for a sign of life on the channel."""
        self._channel.ping()

    def publish(self, channel: str, text: str) -> None:
        """Tell everybody."""
        self._redis.publish(channel, text)

    def close(self) -> None:
        """Give the connections back."""
        for each in (self._channel, self._redis):
            try:
                if each is not None:
                    each.close()
            except (redis.RedisError, OSError):
                continue  # it was broken already


def connect(url: str) -> Client:
    """Connect to `redis://…`, `redis+sentinel://host,host/master/0` or `redis+cluster://host,host`.

    Raises:
        redis.RedisError: it is away, or refuses.
    """
    parts = urlsplit(url)
    bounded: dict[str, Any] = {
        "socket_timeout": _WAIT,
        "socket_connect_timeout": _WAIT,
        "retry": Retry(NoBackoff(), 0),
    }
    if "+" not in parts.scheme:
        return Client(_Plain(host=redis.Redis.from_url(url, **bounded)))
    credentials, _, hosts = parts.netloc.rpartition("@")
    password = unquote(credentials.partition(":")[2]) or None
    if credentials.partition(":")[0]:
        bounded["username"] = unquote(credentials.partition(":")[0])
    if parts.scheme.startswith("rediss"):
        bounded["ssl"] = True
    nodes = [_node(each) for each in hosts.split(",")]
    if parts.scheme.endswith("sentinel"):
        master, _, number = parts.path.strip("/").partition("/")
        return Client(
            _Sentinel(
                sentinels=nodes,
                master=master or "mymaster",
                password=password,
                db=int(number or 0),
                key_prefix="",
                sentinel_socket_timeout=_WAIT,
                sentinel_socket_connect_timeout=_WAIT,
                **bounded,
            )
        )
    return Client(
        _Cluster(cluster=",".join(f"{h}:{p}" for h, p in nodes), password=password or "", **bounded)
    )


def _node(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
