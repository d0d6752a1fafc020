"""Readers of `cache`: the cache rules of calls and views, and the cache store of `bff.yaml`."""

import re
from typing import Any, Final

from bff.declare.load import Node
from bff.declare.read import (
    DURATION,
    SIZE,
    Key,
    Reader,
    integer,
    list_of,
    map_of,
    one_of,
    source,
    table,
    text,
    wrong,
)
from bff.model.cache import CacheRule, CacheStore
from bff.model.source import Place
from bff.store.redis_address import parse_redis_address

_UPSTREAM: Final = "upstream"
_SMALLEST: Final = 1024 * 1024
_LOCAL: Final = re.compile("memory|file:/.+")


def _ttl(node: Node) -> float | None:
    if node.value == _UPSTREAM:
        return None
    seconds: float = DURATION.read(node)
    return seconds


_TTL_SCHEMA: Final = {"anyOf": [{"const": _UPSTREAM}, DURATION.schema]}
# in a tuple, since None is a value here and `table` drops values that are None
TTL: Final = Reader(lambda node: (_ttl(node),), _TTL_SCHEMA)
_INPUT: Final = text(
    r"session\.claims\.\S+|headers\.[a-z0-9-]+",
    "an input that cache keys can vary by",
    "such as session.claims.plan or headers.x-app-version",
)
_STATUS: Final = integer(300, 599)
CACHE_KEYS: Final = {
    "ttl": Key(
        TTL,
        "How long an entry is fresh; `upstream` follows the headers of the reply (RFC 9111).",
        required=True,
    ),
    "stale": Key(
        DURATION,
        "stale-while-revalidate: how long after that it is served while refreshed (RFC 5861).",
    ),
    "stale_if_error": Key(
        DURATION, "stale-if-error: how long after that it replaces a failure (RFC 5861)."
    ),
    "scope": Key(
        one_of("public", "person"),
        "Who shares an entry: all users, or one; by default the widest scope that is safe.",
    ),
    "vary": Key(list_of(_INPUT), "Inputs that the cache key depends on, instead of the user."),
    "tags": Key(
        list_of(source("a tag")), "Templates of cache tags, by which entries are invalidated."
    ),
    "statuses": Key(
        map_of(DURATION, _STATUS), "Negative caching: how long replies of other statuses are fresh."
    ),
}


def _rule(place: Place, values: dict[str, Any]) -> CacheRule:
    (ttl,) = values.pop("ttl")
    if "public" in values.values() and values["vary"]:
        raise wrong("key-conflict", place.of("vary"), "an entry with `vary` is not `scope: public`")
    return CacheRule(place, ttl, **values)


_TABLE: Final = table(_rule, CACHE_KEYS, "cache", CacheRule)


def _cache(node: Node) -> CacheRule:
    if node.value == _UPSTREAM:
        return CacheRule(node.place)
    rule: CacheRule = _TABLE.read(node)
    return rule


CACHE: Final = Reader(_cache, {"anyOf": [{"const": _UPSTREAM}, _TABLE.schema]})


def _of_a_view(node: Node) -> CacheRule:
    rule: CacheRule = _TABLE.read(node)
    if rule.by_upstream:
        raise wrong(
            "key-conflict",
            node.place,
            "`upstream` is for the reply of a call; a view needs a `ttl`",
            "`ttl: 1m`",
        )
    if rule.statuses:
        raise wrong(
            "key-conflict",
            node.place,
            "only successful answers of a view are cached",
            "`statuses` is for calls",
        )
    return rule


VIEW_CACHE: Final = Reader(_of_a_view, _TABLE.schema)


def _url(node: Node) -> str:
    url: str = text("", "where the cache is").read(node)
    if not url or _LOCAL.fullmatch(url):  # empty: a reference to a variable that is not set
        return url
    try:
        parse_redis_address(url)
    except ValueError as error:  # its text does not contain the address, which may have a password
        hint = "`memory`, `file:/path`, or a Redis as `session.store` takes it: `redis://host/0`"
        message = f"this is not the address of a cache: {error}"
        raise wrong("wrong-value", node.place, message, hint) from None
    return url


STORE_KEYS: Final = {
    "store": Key(
        Reader(_url, {"type": "string"}), "Address of the cache store that processes share.", ""
    ),
    "memory": Key(SIZE, "Size of the cache in the memory of each process; default 64MB."),
}


def _store(place: Place, values: dict[str, Any]) -> CacheStore:
    if values["memory"] < _SMALLEST:
        raise wrong("wrong-value", place, "`memory` must be at least 1MB")
    return CacheStore(values["store"], values["memory"])


STORE: Final = table(_store, STORE_KEYS, "cache", CacheStore)
