"""The store for several machines: a Redis of any kind that `bff.store.redis_address` describes.

Expiry is left to Redis, by its own clock and a time to live (PX): the clocks of machines differ, so
a lock that one of them takes for expired may still be held. Compare-and-set is a Lua script. Every
script touches one key only, as a Redis Cluster requires.
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
from bff.store.redis_address import parse_redis_address
from bff.store.redis_client import ClientLimits, RedisClient, connect

CONNECTIONS: Final = 32  # of one process, to one server
_TIMEOUT: Final = 0.5  # seconds to connect, and for each reply
_LIMITS: Final = ClientLimits(_TIMEOUT, CONNECTIONS)
_CHECK_INTERVAL: Final = 5.0  # seconds between two checks of how Redis is set up
_VERSION: Final = 16  # characters
_HEAD: Final = struct.Struct(f">{_VERSION}sd")  # a version, and when it expires
_PROBE: Final = ":writable"  # no key of an entry: those begin with a word
_REFUSALS: Final = {  # by the error code, the first word of an error reply
    "OOM": "it takes no writes: its memory is full (maxmemory)",
    "READONLY": "it takes no writes: it is a replica",
    "MISCONF": "it takes no writes: it cannot write to its disk",
    "NOREPLICAS": "it takes no writes: too few replicas follow it",
}
_CODES: Final[Mapping[type, str]] = {OutOfMemoryError: "OOM", ReadOnlyError: "READONLY"}
_FOREIGN: Final = (RedisError, RedisClusterException, ChildDeadlockedError, OSError, UnicodeError)

# ARGV: the new version, the version to replace ("" for none), the entry, its time to live in ms.
# A lost reply makes the client repeat the script: then its own new version is there already.
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
    """Entries as strings that begin with their version; groups as sorted sets, scored by expiry.

    Args:
        url: as `bff.store.redis_address` describes it.
        now: seconds since 1970; used for times to live, not for whether an entry has expired.

    Raises:
        ValueError: the URL is not valid.

    It connects when it is first used, so a store may be made before a fork.
    """

    def __init__(self, url: str, now: Callable[[], float]) -> None:
        self._address, self._now = parse_redis_address(url), now
        self._client: RedisClient | None = None
        self._connecting = Lock()
        self._slots = BoundedSemaphore(CONNECTIONS)
        self._checked: tuple[float, str] = (-math.inf, "")

    def get(self, key: str) -> Entry | None:
        """The entry of `key`; None if there is none or it has expired."""
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
            return ""  # not a version; to the script it would mean that there is no entry
        version = token_hex(_VERSION // 2)
        record = _HEAD.pack(version.encode(), expires) + value
        lives = max(1, _ms(expires - self._now()))
        written = self._run(_PUT, _entry(key), version, replacing or "", record, lives)
        return version if written else ""

    def delete(self, key: str, version: str | None = None) -> bool:
        """Remove an entry, or only this version of it; True if it was removed.

        When the first reply was lost and the repeated command finds nothing, the first one is taken
        to have removed it.
        """
        if version is None:
            removed, repeated = self._execute("DEL", _entry(key))
            return bool(removed or repeated)
        if not version:
            return False
        removed, repeated = self._run_script(_DELETE, _entry(key), version)
        return bool(removed > 0 or (removed < 0 and repeated))

    def add(self, group: str, member: str, expires: float) -> None:
        """Add a member to a group until it expires."""
        self._run(_ADD, _group(group), _ms(self._now()), _ms(expires), member)

    def discard(self, group: str, member: str) -> None:
        """Remove a member from a group."""
        self._ask("ZREM", _group(group), member)

    def members(self, group: str) -> list[str]:
        """The members of a group that have not expired."""
        found = self._ask("ZRANGEBYSCORE", _group(group), f"({_ms(self._now())}", "+inf")
        return [member.decode() for member in found]

    def unready(self) -> str:
        """Why Redis cannot be used, or not safely; it is asked every five seconds at most."""
        checked_at, reason = self._checked
        if not 0 <= self._now() - checked_at < _CHECK_INTERVAL:
            reason = self._check()
            self._checked = (self._now(), reason)
        return reason

    def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            client.close()

    def _check(self) -> str:
        """See `unready`. Entries have a time to live: any policy that evicts would end sessions."""
        where = f"Redis at {self._address}"
        try:
            info = self._ask("INFO", "memory")
            nodes = [info] if "maxmemory_policy" in info else list(info.values())
            policies = {str(node.get("maxmemory_policy", "unknown")) for node in nodes}
            wrong = ", ".join(sorted(policies - {"noeviction"}))
            if wrong:
                return f"{where}: its maxmemory-policy has to be noeviction, and is {wrong}"
            if any(_is_full(node) for node in nodes):  # of a cluster, each has keys of its own
                return f"{where}: {_REFUSALS['OOM']}"
            self._ask("SET", _entry(_PROBE), "1", "PX", 1000)
        except StoreAway as error:
            return str(error)
        return ""

    def _run(self, script: str, key: str, *args: str | bytes | int) -> Any:
        """The result of a script."""
        return self._run_script(script, key, *args)[0]

    def _run_script(self, script: str, key: str, *args: str | bytes | int) -> tuple[Any, bool]:
        """The result of a script, and whether it may have run twice.

        Redis loses its scripts in a restart (NOSCRIPT): then the text is sent, not the digest.
        """
        digest = sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return self._execute("EVALSHA", digest, 1, key, *args)
        except NoScriptError:
            return self._execute("EVAL", script, 1, key, *args)

    def _ask(self, *command: str | bytes | int) -> Any:
        """The reply to a command."""
        return self._execute(*command)[0]

    def _execute(self, *command: str | bytes | int) -> tuple[Any, bool]:
        """The reply to a command, and whether it may have been carried out once before.

        Raises:
            StoreAway: any error of redis-py; the message has nothing of the command.
        """
        if not self._slots.acquire(timeout=_TIMEOUT):
            raise StoreAway(f"Redis at {self._address}: all connections are in use")
        try:
            return self._with_one_repeat(command)
        except NoScriptError:
            raise  # `_run_script` sends the text of the script
        except _FOREIGN as error:
            raise StoreAway(f"Redis at {self._address}: {_reason(error)}") from None
        finally:
            self._slots.release()

    def _with_one_repeat(self, command: tuple[str | bytes | int, ...]) -> tuple[Any, bool]:
        """The reply to a command, and whether it may have been carried out twice.

        1. READONLY: the server is not the master any more and did nothing; the next client finds
           the new one.
        2. The connection was closed: the command may have been carried out, or not.
        """
        repeated = False
        try:
            return self._connected().execute_command(*command), repeated
        except ReadOnlyError:
            self._client = None
        except redis.ConnectionError:  # Python's own ConnectionError is an OSError
            repeated = True
        return self._connected().execute_command(*command), repeated

    def _connected(self) -> RedisClient:
        client = self._client
        if client:
            return client
        if not self._connecting.acquire(timeout=_TIMEOUT):
            raise StoreAway(f"Redis at {self._address}: another request is connecting")
        try:
            for path in (self._address.tls or {}).values():
                Path(path).open("rb").close()  # its error names the file: OpenSSL's does not
            client = self._client or connect(self._address, _LIMITS)
            self._client = client
        finally:
            self._connecting.release()
        return client


def _is_full(node: Mapping[str, Any]) -> bool:
    """Whether a node refuses writes for lack of memory.

    As Redis itself does, it leaves out the buffers of replicas and of the append-only file.
    """
    limit, used = node.get("maxmemory", 0), node.get("used_memory", 0)
    return bool(limit) and used - node.get("mem_not_counted_for_evict", 0) >= limit


def _entry(key: str) -> str:
    return f"bff:entry:{key}"


def _group(group: str) -> str:
    return f"bff:group:{group}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _reason(error: Exception) -> str:
    """What went wrong, safe to log.

    Only the operating system's texts are used: redis-py's may quote the command that was sent.
    """
    refusal = _REFUSALS.get(_CODES.get(type(error), str(error).partition(" ")[0]))
    if refusal:
        return refusal
    cause = error.__cause__ or error.__context__ or error
    system = cause.strerror if isinstance(cause, OSError) else None
    file = f": {cause.filename}" if isinstance(cause, OSError) and cause.filename else ""
    return f"{type(error).__name__}: {system}{file}" if system else type(error).__name__
