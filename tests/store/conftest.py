"""Stores of both kinds, real ones, and a clock that goes as a test says."""

from contextlib import ExitStack
from time import monotonic, sleep, time

import pytest

from bff.store.open import open_store
from tests.store.redis_server import RedisServer

PATIENCE = 5.0


class Clock:
    """Seconds since 1970, from when it was made."""

    def __init__(self) -> None:
        self.time = time()

    def __call__(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def redis_servers(tmp_path):
    """Start servers of this test's own: `redis_servers("requirepass secret")`."""
    with ExitStack() as stack:

        def start(*options, **more):
            server = RedisServer(tmp_path, *options, **more)
            stack.callback(server.stop)
            return server

        yield start


@pytest.fixture
def own(redis_servers):
    """A Redis that a test may stop."""
    return redis_servers()


@pytest.fixture(scope="session")
def _redis_of_all(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.stop()


@pytest.fixture
def redis_server(_redis_of_all):
    """A Redis with nothing in it."""
    _redis_of_all.tell("FLUSHALL")
    return _redis_of_all


@pytest.fixture(params=["sqlite", "redis"])
def store_url(request, tmp_path):
    """The address of an empty store, of each kind."""
    if request.param == "redis":
        return request.getfixturevalue("redis_server").url
    return f"sqlite:{tmp_path}/sessions/store.db"


@pytest.fixture
def opened(tmp_path):
    """Open a store by its address: `opened(url, clock)`."""
    with ExitStack() as stack:

        def make(url, now=time):
            store = open_store(url, tmp_path / "default.db", now)
            stack.callback(store.close)
            return store

        yield make


@pytest.fixture
def store(store_url, opened, clock):
    return opened(store_url, clock)


@pytest.fixture
def until(clock):
    """Poll until something is true, within bounds; the clock of the test goes on meanwhile.

    A Redis has a clock of its own, for SQLite the injected one is all there is.
    """

    def poll(condition):
        end = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < end, "it did not come true in time"
            clock.advance(0.01)
            sleep(0.01)

    return poll
