"""Sessions and tokens are tested on the stores of `tests/store`, with its clock."""

from tests.store.conftest import (
    _redis_of_all,
    clock,
    opened,
    own,
    redis_server,
    redis_servers,
    store,
    store_url,
    until,
)

__all__ = [
    "_redis_of_all",
    "clock",
    "opened",
    "own",
    "redis_server",
    "redis_servers",
    "store",
    "store_url",
    "until",
]
