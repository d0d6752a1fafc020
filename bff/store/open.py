"""The registry of stores: the scheme of an address chooses the class that opens it.

A further store is one module with a class that implements `bff.store.protocol.Store`, and one line
in `OPENERS`. The check of `session.store` and the test of the documentation derive from
that line.
"""

from collections.abc import Callable
from pathlib import Path
from time import time
from typing import Final

from bff.store import redis_address
from bff.store.protocol import Store
from bff.store.sqlite import SqliteStore

Clock = Callable[[], float]  # seconds since 1970
Opener = Callable[[str, Clock], Store]  # a whole address -> its store; raises ValueError


def _redis(url: str, now: Clock) -> Store:
    from bff.store.redis import RedisStore  # without Redis, its client library is not loaded

    return RedisStore(url, now)


OPENERS: Final[dict[str, Opener]] = {
    "sqlite": SqliteStore.from_url,
    **dict.fromkeys(redis_address.SCHEMES, _redis),
}


def open_store(url: str, default: Path, now: Clock) -> Store:
    """The store of an address; it connects, or opens its file, when it is first used.

    Args:
        url: an address with a scheme of `OPENERS`; empty, or `sqlite:`, for SQLite in `default`.
        default: the file of SQLite if no address is given.
        now: seconds since 1970.

    Raises:
        ValueError: the address is not valid; the message has nothing of it, as it may hold a
            password.
    """
    if url in {"", "sqlite:"}:
        return SqliteStore(default, now)
    opener = OPENERS.get(url.partition(":")[0])
    if opener is None:
        raise ValueError(f"the address of a store begins with one of {', '.join(OPENERS)}")
    return opener(url, now)


def check_address(url: str) -> None:
    """Check the address of a store without opening it.

    Raises:
        ValueError: as `open_store` does.
    """
    open_store(url, Path(), time)


def is_local(url: str) -> bool:
    """Whether a store is of this machine only, so that its secret may be a file beside it."""
    return url.partition(":")[0] in {"", "sqlite"}


def remember_store(url: str, default: Path, now: Clock) -> None:
    """Make the file of an SQLite store known to all processes that this one forks.

    Raises:
        StoreAway: it cannot be made, or used.
    """
    store = open_store(url, default, now)
    if isinstance(store, SqliteStore):
        store.remember()
