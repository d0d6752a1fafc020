"""The store for several machines: a Redis, alone, watched by Sentinels, or a Cluster.

What has expired is for Redis to say, by its own clock and a time to live: the clocks of machines
differ, and a lock that one of them takes for expired is still held. Every script touches one key,
which a Cluster asks for.
"""

import math
import struct
from collections.abc import Callable, Mapping
from hashlib import sha1
from pathlib import Path
from secrets import token_hex
from threading import BoundedSemaphore, Lock
from typing import Any, Final

import redis
from redis.exceptions import (
    ChildDeadlockedError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)

from bff.errors import StoreAway
from bff.store.protocol import Entry
from bff.store.redis_client import CONNECTIONS, TIMEOUT, Client, connect, parse

_ASKED_AGAIN: Final = 5.0  # seconds between two looks at how Redis is set up
_VERSION: Final = 16  # characters
_HEAD: Final = struct.Struct(f">{_VERSION}sd")  # a version, and when it expires
_PROBE: Final = ":writable"  # no name of an entry: those begin with a word
_REFUSED: Final = {  # by the first word of what Redis says
    "OOM": "it takes no writes: its memory is full (maxmemory)",
    "READONLY": "it takes no writes: it is a replica",
    "MISCONF": "it takes no writes: it cannot write to its disk",
    "NOREPLICAS": "it takes no writes: too few replicas follow it",
}
_CODES: Final[Mapping[type, str]] = {OutOfMemoryError: "OOM", ReadOnlyError: "READONLY"}
_FOREIGN: Final = (RedisError, RedisClusterException, ChildDeadlockedError, OSError, UnicodeError)

# A reply that was lost makes the client ask again: then its own version is there already.
_PUT: Final = """
local there = redis.call('GETRANGE', KEYS[1], 0, 15)
if there ~= ARGV[1] and there ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
"""
_DELETE: Final = """
local there = redis.call('GETRANGE', KEYS[1], 0, 15)
if there == '' then return -1 end
if there ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_ADD: Final = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', last - ARGV[1]))
"""


class RedisStore:
    """Entries as strings, which begin with their version; groups as sets, sorted by expiry.

    Args:
        url: as `bff.store.redis_client.parse` reads it.
        now: seconds since 1970; it says how long entries live, not whether they still do.

    Raises:
        ValueError: the URL is none.

    It connects when it is first used, so one may be made before a fork.
    """

    def __init__(self, url: str, now: Callable[[], float]) -> None:
        self._address, self._now = parse(url), now
        self._client: Client | None = None
        self._connecting = Lock()
        self._places = BoundedSemaphore(CONNECTIONS)
        self._looked: tuple[float, str] = (-math.inf, "")

    def get(self, key: str) -> Entry | None:
        """What is under `key`, unless it has expired."""
        found = self._ask("GET", _entry(key))
        if found is None:
            return None
        if len(found) < _HEAD.size:
            raise StoreAway(f"Redis at {self._address}: an entry there was not written by us")
        version, expires = _HEAD.unpack_from(found)
        return Entry(found[_HEAD.size :], version.decode("latin-1"), expires)

    def put(self, key: str, value: bytes, expires: float, replacing: str | None = None) -> str:
        """Write an entry: a new one, or over the version `replacing` and no other."""
        if replacing == "":
            return ""  # no version at all; to the script it would mean that nothing is there
        version = token_hex(_VERSION // 2)
        record = _HEAD.pack(version.encode(), expires) + value
        lives = max(1, _ms(expires - self._now()))
        written = self._run(_PUT, _entry(key), version, replacing or "", record, lives)
        return version if written else ""

    def delete(self, key: str, version: str | None = None) -> bool:
        """Remove an entry, or only this version of it; whether there was one to remove.

        Where the first reply was lost and nothing is there the second time, the first removed it.
        """
        if version is None:
            removed, again = self._asked("DEL", _entry(key))
            return bool(removed or again)
        if not version:
            return False
        removed, again = self._ran(_DELETE, _entry(key), version)
        return bool(removed > 0 or (removed < 0 and again))

    def add(self, group: str, member: str, expires: float) -> None:
        """Have `member` belong to `group` until it expires."""
        self._run(_ADD, _group(group), _ms(self._now()), _ms(expires), member)

    def discard(self, group: str, member: str) -> None:
        """Have it belong there no more."""
        self._ask("ZREM", _group(group), member)

    def members(self, group: str) -> list[str]:
        """What belongs to a group and has not expired."""
        found = self._ask("ZRANGEBYSCORE", _group(group), f"({_ms(self._now())}", "+inf")
        return [member.decode() for member in found]

    def unready(self) -> str:
        """Why Redis is of no use, or not safe to use; asked every few seconds at most."""
        looked, why = self._looked
        if not 0 <= self._now() - looked < _ASKED_AGAIN:
            why = self._unsafe()
            self._looked = (self._now(), why)
        return why

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            client.close()

    def _unsafe(self) -> str:
        """Every entry has a time to live, so any policy that evicts would sign people out."""
        where = f"Redis at {self._address}"
        try:
            told = self._ask("INFO", "memory")
            nodes = [told] if "maxmemory_policy" in told else list(told.values())
            policies = {str(node.get("maxmemory_policy", "unknown")) for node in nodes}
            wrong = ", ".join(sorted(policies - {"noeviction"}))
            if wrong:
                return f"{where}: its maxmemory-policy has to be noeviction, and is {wrong}"
            if any(_is_full(node) for node in nodes):  # of a cluster, each has keys of its own
                return f"{where}: {_REFUSED['OOM']}"
            self._ask("SET", _entry(_PROBE), "1", "PX", 1000)
        except StoreAway as error:
            return str(error)
        return ""

    def _run(self, script: str, key: str, *args: str | bytes | int) -> Any:
        """The result of a script."""
        return self._ran(script, key, *args)[0]

    def _ran(self, script: str, key: str, *args: str | bytes | int) -> tuple[Any, bool]:
        """The result of a script, which Redis may have forgotten; and whether it ran twice."""
        digest = sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return self._asked("EVALSHA", digest, 1, key, *args)
        except NoScriptError:
            return self._asked("EVAL", script, 1, key, *args)

    def _ask(self, *command: str | bytes | int) -> Any:
        """The reply to a command."""
        return self._asked(*command)[0]

    def _asked(self, *command: str | bytes | int) -> tuple[Any, bool]:
        """The reply to a command, and whether it may have been carried out once before.

        Raises:
            StoreAway: whatever redis-py has to say, without what it was told.
        """
        if not self._places.acquire(timeout=TIMEOUT):
            raise StoreAway(f"Redis at {self._address}: all connections are in use")
        try:
            return self._answer(command)
        except NoScriptError:
            raise  # for `_run`, which has the script
        except _FOREIGN as error:
            raise StoreAway(f"Redis at {self._address}: {_why(error)}") from None
        finally:
            self._places.release()

    def _answer(self, command: tuple[str | bytes | int, ...]) -> tuple[Any, bool]:
        """The reply to a command, asked again once if the connection was closed meanwhile."""
        lost = False
        try:
            return self._connected().execute_command(*command), lost
        except ReadOnlyError:
            self._client = None  # no master any more: who is will be found out anew
        except redis.ConnectionError:  # Python's own is an OSError
            lost = True
        return self._connected().execute_command(*command), lost

    def _connected(self) -> Client:
        client = self._client
        if client:
            return client
        if not self._connecting.acquire(timeout=TIMEOUT):
            raise StoreAway(f"Redis at {self._address}: another request waits for a connection")
        try:
            for path in (self._address.tls or {}).values():
                Path(path).open("rb").close()  # its error names the file: OpenSSL's does not
            client = self._client or connect(self._address)
            self._client = client
        finally:
            self._connecting.release()
        return client


def _is_full(node: Mapping[str, Any]) -> bool:
    """Whether a node refuses writes: what replicas and logs have in buffers does not count."""
    most, used = node.get("maxmemory", 0), node.get("used_memory", 0)
    return bool(most) and used - node.get("mem_not_counted_for_evict", 0) >= most


def _entry(key: str) -> str:
    return f"bff:entry:{key}"


def _group(group: str) -> str:
    return f"bff:group:{group}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _why(error: Exception) -> str:
    """What went wrong: no text of redis-py's, which may quote what was sent, only the system's."""
    refused = _REFUSED.get(_CODES.get(type(error), str(error).partition(" ")[0]))
    if refused:
        return refused
    cause = error.__cause__ or error.__context__ or error
    system = cause.strerror if isinstance(cause, OSError) else None
    file = f": {cause.filename}" if isinstance(cause, OSError) and cause.filename else ""
    return f"{type(error).__name__}: {system}{file}" if system else type(error).__name__
