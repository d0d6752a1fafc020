"""Which store a deployment has: the one setting that chooses."""

from collections.abc import Callable
from pathlib import Path

from bff.store.protocol import Store
from bff.store.sqlite import SqliteStore


def remember_store(url: str, default: Path, now: Callable[[], float]) -> None:
    """Have all that this process forks know the file of the store, where it is one.

    Raises:
        StoreAway: it cannot be made, or used.
    """
    store = open_store(url, default, now)
    if isinstance(store, SqliteStore):
        store.remember()


def open_store(url: str, default: Path, now: Callable[[], float]) -> Store:
    """The store that an address names; nothing is opened and nobody asked before it is used.

    Args:
        url: `sqlite:PATH`, or what `bff.store.redis_client.parse` reads; empty for SQLite.
        default: the file if no address is given.
        now: seconds since 1970.

    Raises:
        ValueError: it is no address; the message has nothing of it, as it may hold a password.
    """
    kind, _, rest = url.partition(":")
    if not url or kind == "sqlite":
        return SqliteStore(Path(rest) if rest else default, now)
    from bff.store.redis import RedisStore  # where there is no Redis, its client is not loaded

    return RedisStore(url, now)
