"""The client for a Redis address, with bounded waits and without retries: for sessions and cache.

redis-py's own defaults are more patient than a request can be: ten retries, five seconds each. Here
nothing is retried below the store, which knows what may be; and a connection whose reply was not
read is closed, so that the next request on it cannot receive a reply that is not its own.
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from redis import Redis, RedisCluster, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.connection import ConnectionPool
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

from bff.store.redis_address import CLUSTER, SENTINEL, UNIX, RedisAddress

_RESP: Final = 2  # the version of the protocol: replies have the same types for every client


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How long a client may wait, and how much it may hold open.

    Args:
        timeout: seconds to connect, and for each reply.
        connections: of one process to one server; None for as many as are used at once. A client
            that has reached the limit raises MaxConnectionsError and does not wait.
    """

    timeout: float
    connections: int | None = None


class RedisClient(Protocol):
    """What the clients of redis-py have in common, as far as the session store uses it."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """The reply to a command."""

    def close(self) -> None:
        """Close the connections."""


def connect(address: RedisAddress, limits: ClientLimits) -> Any:
    """A client; that of a Cluster asks its nodes at once, the others connect when they are used.

    Raises:
        redis.RedisError: the Cluster cannot be asked; redis-py has further classes.
    """
    tls = {} if address.tls is None else {"ssl": True, **address.tls}
    sockets = {
        "socket_timeout": limits.timeout, "socket_connect_timeout": limits.timeout,
        "protocol": _RESP, "retry": Retry(NoBackoff(), 0),
    }  # fmt: skip
    options: dict[str, Any] = {**sockets, **tls, **address.login}
    if limits.connections is not None:
        options["max_connections"] = limits.connections
    if address.kind == CLUSTER:
        return RedisCluster(startup_nodes=[ClusterNode(*each) for each in address.hosts], **options)
    options["db"] = address.db
    if address.kind == UNIX:
        return _unix(address.path, options)
    if address.kind == SENTINEL:
        to_sentinels = {**sockets, **tls, **address.sentinel_login}
        kind = _SentinelConnection if address.tls is None else _SentinelTlsConnection
        sentinel = Sentinel(address.hosts, sentinel_kwargs=to_sentinels)
        return sentinel.master_for(address.name, connection_class=kind, **options)
    host, port = address.hosts[0]
    return Redis(host=host, port=port, **options)


def _unix(path: str, options: dict[str, Any]) -> Redis:
    """As `Redis(unix_socket_path=…)`, which does not pass on the time-out for connecting."""
    return Redis.from_pool(
        ConnectionPool(connection_class=UnixDomainSocketConnection, path=path, **options)
    )


class _SentinelConnection(SentinelManagedConnection):
    """Closed after an error while reading a reply, as other connections of redis-py are."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        return super().read_response(*args, **{"disconnect_on_error": True, **options})


class _SentinelTlsConnection(_SentinelConnection, SentinelManagedSSLConnection):
    pass
