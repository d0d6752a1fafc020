"""The address of a Redis: alone, over TLS or a Unix socket, behind Sentinels, or a Cluster.

One grammar for sessions and for the cache:

    redis://[user:password@]host[:port][/db]
    redis+sentinel://[user:password@]host[:port],.../name[/db]
    redis+cluster://[user:password@]host[:port],...
    unix://[user:password@]/path/to/redis.sock[?db=0]

`rediss` instead of `redis` speaks TLS, to Sentinels too. Options stand in the query: the files of
TLS as `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`; the login of the Sentinels themselves as
`sentinel_username`, `sentinel_password`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

SENTINEL, CLUSTER, UNIX = "redis+sentinel", "redis+cluster", "unix"
_TLS_SCHEMES: Final = {
    "rediss": "redis", "rediss+sentinel": SENTINEL, "rediss+cluster": CLUSTER,
}  # fmt: skip
SCHEMES: Final = ("redis", SENTINEL, CLUSTER, UNIX, *_TLS_SCHEMES)
TLS_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_SENTINEL_LOGIN: Final = ("sentinel_username", "sentinel_password")
_HOST: Final = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^\s\[\]:@/]+))(?::(\d{1,5}))?")
_AFTER_HOSTS: Final = re.compile("[/?#]")
_NAME: Final = re.compile(r"[\w.-]+")
_MAX_PORT: Final = 65535
_PORT, _SENTINEL_PORT = 6379, 26379
_NO_OPTION: Final = "the address of a Redis has an option that is not supported"


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where a Redis is, and how to log in.

    Args:
        kind: the scheme of its URL, without TLS.
        hosts: of the server, of the Sentinels, or of some nodes of the Cluster.
        path: of the Unix socket, which has no host.
        name: what the Sentinels call the master.
        sentinel_login: for the Sentinels themselves, where they require one.
        tls: the files of TLS (CA, certificate, key) by redis-py's names; None without TLS.
    """

    kind: str
    hosts: tuple[tuple[str, int], ...] = ()
    db: int = 0
    path: str = ""
    name: str = ""
    login: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentinel_login: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: Mapping[str, str] | None = None

    def __str__(self) -> str:
        """For messages: without the login."""
        return self.path or ",".join(f"{host}:{port}" for host, port in self.hosts)


def parse_redis_address(url: str) -> RedisAddress:
    """Parse the URL of a Redis; see the module for its forms.

    Raises:
        ValueError: it is not valid; the message has nothing of the URL, as that may be a password.
    """
    scheme, _, rest = url.partition("://")
    authority = _AFTER_HOSTS.split(rest, maxsplit=1)[0]
    try:  # since Python 3.11.4 urlsplit refuses a list of hosts with brackets among them
        parts = urlsplit(f"{scheme}://hosts{rest[len(authority) :]}")
        options = _options(parts.query)
    except ValueError:
        raise ValueError("the address of a Redis is not a URL") from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"the address of a Redis begins with one of {', '.join(SCHEMES)}")
    kind = _TLS_SCHEMES.get(parts.scheme, parts.scheme)
    credentials, _, hosts = authority.rpartition("@")
    user, _, password = credentials.partition(":")
    login = _present(username=unquote(user), password=unquote(password))
    if kind == UNIX:
        return _socket(parts, hosts, login, options)
    return _server(parts, kind, hosts, login, options)


def _socket(
    parts: SplitResult, hosts: str, login: Mapping[str, str], options: Mapping[str, str]
) -> RedisAddress:
    path, db = unquote(parts.path), options.get("db", "0")
    if hosts or not path.strip("/"):
        raise ValueError("the address of a Unix socket is `unix:///path/to/redis.sock`")
    if options.keys() - {"db"}:
        raise ValueError(f"{_NO_OPTION}: a Unix socket has only `db`")
    if not _is_number(db):
        raise ValueError("the address of a Unix socket has a number for `db`: `?db=0`")
    return RedisAddress(UNIX, db=int(db), path=path, login=login)


def _server(
    parts: SplitResult,
    kind: str,
    hosts: str,
    login: Mapping[str, str],
    options: Mapping[str, str],
) -> RedisAddress:
    known = (*TLS_FILES, *_SENTINEL_LOGIN)
    if options.keys() - set(known):
        raise ValueError(f"{_NO_OPTION}: there are {', '.join(known)}")
    default = _SENTINEL_PORT if kind == SENTINEL else _PORT
    places = tuple(_host(each, default) for each in hosts.split(","))
    if kind == "redis" and len(places) > 1:
        raise ValueError("the address of a Redis has one host, unless it is of Sentinels or nodes")
    path = [part for part in parts.path.split("/") if part]
    name = unquote(path.pop(0)) if kind == SENTINEL and path else ""
    if kind == SENTINEL and not _NAME.fullmatch(name):
        raise ValueError("the address of Sentinels ends with the name of the master: `/mymaster`")
    sentinel_login = {key: options.get(f"sentinel_{key}", "") for key in ("username", "password")}
    files = {key: options[key] for key in TLS_FILES if key in options}
    return RedisAddress(
        kind=kind,
        hosts=places,
        db=_db(path, kind),
        name=name,
        login=login,
        sentinel_login=_present(**sentinel_login),
        tls=files if parts.scheme in _TLS_SCHEMES else None,
    )


def _options(query: str) -> dict[str, str]:
    found = parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))
    if not all(values[-1] for values in found.values()):
        raise ValueError
    return {key: values[-1] for key, values in found.items()}


def _host(text: str, port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    if not match or int(match[3] or 0) > _MAX_PORT:
        message = "a host in the address of a Redis is `name:port`"
        raise ValueError(f"{message}; in a password, `/`, `?`, `#`, `@` and `%` are written as %XX")
    return match[1] or match[2], int(match[3] or port)


def _db(path: list[str], kind: str) -> int:
    if not path:
        return 0
    if len(path) > 1 or not _is_number(path[0]) or kind == CLUSTER:
        message = "the address of a Redis ends with the number of a database, `/0`"
        raise ValueError(f"{message}; that of a Cluster has none")
    return int(path[0])


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _present(**login: str) -> dict[str, str]:
    return {key: value for key, value in login.items() if value}
