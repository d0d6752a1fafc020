"""What may be kept of replies and answers, as calls, views and `bff.yaml` declare it."""

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
# None is a value here, so it stands in a tuple
TTL: Final = Reader(lambda node: (_ttl(node),), _TTL_SCHEMA)
_INPUT: Final = text(
    r"session\.claims\.\S+|headers\.[a-z0-9-]+",
    "an input that entries can be kept apart by",
    "such as session.claims.plan or headers.x-app-version",
)
_STATUS: Final = integer(300, 599)
CACHE_KEYS: Final = {
    "ttl": Key(TTL, "How long it is fresh; `upstream` leaves it to the reply.", required=True),
    "stale": Key(DURATION, "How long after that it is answered while it is refreshed."),
    "stale_if_error": Key(DURATION, "How long after that it stands in for a failure."),
    "scope": Key(one_of("public", "person"), "Who shares it; as many as is proven if not said."),
    "vary": Key(list_of(_INPUT), "Inputs by which it is kept apart, instead of by person."),
    "tags": Key(list_of(source("a tag")), "Templates of names to invalidate it by."),
    "statuses": Key(map_of(DURATION, _STATUS), "How long replies of other statuses are kept."),
}


def _rule(place: Place, values: dict[str, Any]) -> CacheRule:
    (ttl,) = values.pop("ttl")
    if "public" in values.values() and values["vary"]:
        raise wrong(
            "key-conflict", place.of("vary"), "what is kept apart by `vary` is not `scope: public`"
        )
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
            "key-conflict", node.place, "an answer has no upstream: it has several", "say a `ttl`"
        )
    if rule.statuses:
        raise wrong(
            "key-conflict",
            node.place,
            "only good answers of a view are kept",
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
    except ValueError as error:  # it says nothing of the address, which may hold a password
        hint = "`memory`, `file:/path`, or a Redis as `session.store` takes it: `redis://host/0`"
        message = f"this is not the address of a cache: {error}"
        raise wrong("wrong-value", node.place, message, hint) from None
    return url


STORE_KEYS: Final = {
    "store": Key(Reader(_url, {"type": "string"}), "Where processes share what is kept.", ""),
    "memory": Key(SIZE, "What each process keeps in memory; 64MB if not said."),
}


def _store(place: Place, values: dict[str, Any]) -> CacheStore:
    if values["memory"] < _SMALLEST:
        raise wrong("wrong-value", place, "less memory than 1MB keeps nothing worth it")
    return CacheStore(values["store"], values["memory"])


STORE: Final = table(_store, STORE_KEYS, "cache", CacheStore)
