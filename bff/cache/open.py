"""Opens the cache that a configuration declares."""

from collections.abc import Callable
from pathlib import Path

from bff.cache.cache import Cache
from bff.cache.store import SharedStore, StoreListener
from bff.model.cache import CacheStore


def open_cache(declared: CacheStore, folder: str) -> Cache:
    """The cache; it opens no socket and starts no thread before it is used.

    Args:
        folder: of the files if no store is declared; empty for a cache in memory only.
    """
    url = declared.url or (f"file:{folder}" if folder else "memory")
    return Cache(declared.memory, _store(url))


def _store(url: str) -> Callable[[StoreListener], SharedStore] | None:
    if url == "memory":
        return None
    if url.startswith("file:"):
        from bff.cache.files import FileStore

        return lambda listener: FileStore(Path(url.removeprefix("file:")), listener)
    from bff.cache.redis import RedisStore

    return lambda listener: RedisStore(url, listener)
