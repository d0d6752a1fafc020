"""From the address of a Redis, of its Sentinels or of a Cluster to a client for it.

What redis-py does by default is more patient than a request can be: ten retries, five seconds each.
Here nothing is tried again below the store, which knows what may be; and what no reply came for is
closed, so that nobody reads the reply to somebody else's question.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelManagedConnection, SentinelManagedSSLConnection

CONNECTIONS: Final = 32  # of one process, to one server
TIMEOUT: Final = 0.5  # seconds to connect, and for each reply

_SENTINEL, _CLUSTER = "redis+sentinel", "redis+cluster"
_SCHEMES: Final = ("redis", _SENTINEL, _CLUSTER)
_TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SENTINEL_LOGIN: Final = ("sentinel_username", "sentinel_password")
_HOST: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s\[\]:@/]+))(?::(\d{1,5}))?")
_AFTER_HOSTS: Final = re.compile("[/?#]")
_NAME: Final = re.compile(r"[\w.-]+")
_MOST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Redis is, and how to log in.

    Args:
        kind: the scheme of its URL, without TLS.
        hosts: of the server, of the Sentinels, or of some nodes of the Cluster.
        name: what the Sentinels call the master.
        sentinel_login: for the Sentinels themselves, where they want one.
        tls: the files of TLS (CA, certificate, key) by redis-py's names; None without TLS.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...]
    db: int = 0
    name: str = ""
    login: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentinel_login: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Mapping[str, str] | None = None

    def __str__(self) -> str:
        """For messages: without who logs in, and how."""
        return ",".join(f"{host}:{port}" for host, port in self.hosts)


class Client(Protocol):
    """What the clients of redis-py have in common, as far as it is of use here."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """The reply to a command."""

    def close(self) -> None:
        """Close the connections."""


def parse(url: str) -> Address:
    """The address that a URL gives.

    Args:
        url: `redis://[user:password@]host[:port][/db]`, `redis+sentinel://host:port,.../name[/db]`
            or `redis+cluster://host:port,...`; `rediss` instead of `redis` is with TLS.

    Raises:
        ValueError: it gives none; the message has nothing of the URL, as that may be a password.
    """
    scheme, _, rest = url.partition("://")
    netloc = _AFTER_HOSTS.split(rest, maxsplit=1)[0]
    try:  # newer Pythons take no list of hosts with brackets among them
        parts = urlsplit(f"{scheme}://hosts{rest[len(netloc) :]}")
        options = _options(parts.query)
    except ValueError:
        raise ValueError("the address of a Redis: it is no URL") from None
    kind = parts.scheme.replace("rediss", "redis", 1)
    if kind not in _SCHEMES:
        raise ValueError(f"the address of a Redis begins with one of {', '.join(_SCHEMES)}")
    login, _, places = netloc.rpartition("@")
    hosts = tuple(_host(each, 26379 if kind == _SENTINEL else 6379) for each in places.split(","))
    if kind == "redis" and len(hosts) > 1:
        raise ValueError("the address of a Redis has one host, unless it is of Sentinels or nodes")
    path = [part for part in parts.path.split("/") if part]
    name = unquote(path.pop(0)) if kind == _SENTINEL and path else ""
    if (kind == _SENTINEL) != bool(_NAME.fullmatch(name)):
        raise ValueError("the address of Sentinels ends with the name of the master: `/name`")
    user, _, password = login.partition(":")
    tls: dict[str, str] = {key: options[key] for key in _TLS_FILES if key in options}
    return Address(
        kind=kind,
        hosts=hosts,
        db=_db(path, kind),
        name=name,
        login=_given(username=unquote(user), password=unquote(password)),
        sentinel_login=_given(
            **{key.removeprefix("sentinel_"): options.get(key, "") for key in _SENTINEL_LOGIN}
        ),
        tls=tls if parts.scheme.startswith("rediss") else None,
    )


def connect(address: Address) -> Client:
    """A client; that of a Cluster asks its nodes at once, the others nobody yet.

    Raises:
        redis.RedisError: the Cluster cannot be asked; redis-py knows some more.
    """
    once = Retry(NoBackoff(), 0)
    sockets = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT, "protocol": 2}
    tls = {} if address.tls is None else {"ssl": True, **address.tls}
    options: dict[str, Any] = {
        **sockets, **tls, **address.login, "retry": once, "max_connections": CONNECTIONS,
    }  # fmt: skip
    if address.kind == _CLUSTER:
        nodes = [ClusterNode(*each) for each in address.hosts]
        return RedisCluster(startup_nodes=nodes, **options)
    if address.kind == "redis":
        host, port = address.hosts[0]
        return Redis(host=host, port=port, db=address.db, **options)
    asked = {**sockets, **tls, **address.sentinel_login, "retry": once}
    kind = _SentinelConnection if address.tls is None else _SentinelTlsConnection
    found: Redis = Sentinel(address.hosts, sentinel_kwargs=asked).master_for(
        address.name, db=address.db, connection_class=kind, **options
    )
    return found


class _SentinelConnection(SentinelManagedConnection):
    """Closed after whatever went wrong with a reply, as other connections of redis-py are."""

    def read_response(self, *args: Any, **options: Any) -> Any:
        return super().read_response(*args, **{"disconnect_on_error": True, **options})


class _SentinelTlsConnection(_SentinelConnection, SentinelManagedSSLConnection):
    pass


def _options(query: str) -> dict[str, str]:
    found = {key: values[-1] for key, values in parse_qs(query, strict_parsing=bool(query)).items()}
    known = (*_TLS_FILES, *_SENTINEL_LOGIN)
    if found.keys() - set(known):
        raise ValueError
    return found


def _host(text: str, port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    if not match or int(match[3] or 0) > _MOST_PORT:
        message = "a host in the address of a Redis is `name:port`"
        raise ValueError(f"{message}; in a password, `/`, `?`, `#`, `@` and `%` are written as %XX")
    return match[1] or match[2], int(match[3] or port)


def _db(path: list[str], kind: str) -> int:
    if not path:
        return 0
    if len(path) > 1 or not path[0].isdecimal() or kind == _CLUSTER:
        raise ValueError("the address of a Redis ends with a number, `/0`; that of a Cluster not")
    return int(path[0])


def _given(**login: str) -> dict[str, str]:
    return {key: value for key, value in login.items() if value}
