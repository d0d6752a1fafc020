"""Redis goes away under load, in every way it can: no request is lost, and nothing untrue found."""

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from bff.app import create_app
from bff.cache.cache import Cache, RemoteLookup, RemoteWrite
from bff.cache.entry import CacheEntry
from bff.cache.key import cache_key, tag_of
from bff.cache.redis import RedisStore
from bff.cache.store import StoreUnavailable
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply, StubServices
from bff.upstream.exchange import SystemClock
from bff.upstream.pool import PoolExchange
from tests.redis_server import RedisServer, until

MB = 1024 * 1024
WANT = cache_key(["x"], [tag_of("x")])
TAGS = [tag_of("x")]


@pytest.fixture
def server(tmp_path):
    server = RedisServer(tmp_path / "redis")
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def caches(server):
    with ExitStack() as stack:

        def make(url=server.url):
            cache = Cache(MB, lambda heard: RedisStore(url, heard))
            stack.callback(cache.close)
            return cache

        yield make


def load(cache, body):
    found = cache.get_shared(RemoteLookup(WANT))
    if found.address is None:
        return False
    entry = CacheEntry(200, (), body, time.time(), 60.0)
    cache.put_local(found.address, entry)
    cache.put_shared(RemoteWrite(found.address, entry))
    return True


def found(cache):
    entry = cache.get_local(WANT).entry or cache.get_shared(RemoteLookup(WANT)).entry
    return entry.body if entry else None


def test_a_process_that_loses_the_channel_drops_its_memory_at_once(server, caches):
    cache = caches()
    assert load(cache, b"1")
    assert cache.get_local(WANT).entry
    server.stop()
    until(lambda: cache.get_local(WANT).entry is None, within=2)
    assert cache.stats()["memory"]["entries"] == 0
    assert cache.unavailable()


def test_a_redis_that_nobody_hears_of_is_noticed_as_well(server, caches):
    """As a partition looks: the connections stay, and nothing comes."""
    cache = caches()
    assert load(cache, b"1")
    server.freeze()
    try:
        took = until(lambda: cache.get_local(WANT).entry is None, within=5)
        assert took < 3
        begun = time.monotonic()
        for _ in range(50):
            assert cache.get_shared(RemoteLookup(WANT)).address is None
        assert time.monotonic() - begun < 0.2, "it is skipped, and not waited for"
    finally:
        server.thaw()
    until(lambda: cache.get_shared(RemoteLookup(WANT)).address, within=10, every=0.05)
    assert not cache.unavailable()


def test_one_that_was_never_there_costs_one_short_wait(tmp_path, caches):
    cache = caches(f"redis://127.0.0.1:{RedisServer(tmp_path / 'none').port}/0")
    begun = time.monotonic()
    assert cache.get_shared(RemoteLookup(WANT)).address is None
    assert time.monotonic() - begun < 0.5
    begun = time.monotonic()
    for _ in range(50):
        assert cache.get_shared(RemoteLookup(WANT)).address is None
        assert cache.get_local(WANT).address is None
        assert not cache.get_local(WANT).ask_shared
    assert time.monotonic() - begun < 0.2


@pytest.mark.parametrize("save", [("--save", "1", "1", "--appendonly", "yes"), ()])
def test_a_restart_brings_nothing_back_that_was_invalidated(tmp_path, save):
    """What Redis saved may be older than what was bumped since: it is another Redis now."""
    server = RedisServer(tmp_path / "saving", *save).start()
    one = Cache(MB, lambda heard: RedisStore(server.url, heard))
    try:
        assert load(one, b"old")
        server.stop()
        one.invalidate(TAGS)
        server.start()
        other = Cache(MB, lambda heard: RedisStore(server.url, heard))
        until(lambda: one.get_shared(RemoteLookup(WANT)).address, within=10, every=0.05)
        assert found(one) is None
        assert found(other) is None
        other.close()
    finally:
        one.close()
        server.stop()


def test_what_could_not_be_told_is_told_before_the_store_is_used_again(caches):
    """A process is cut off while the others are not, and invalidates: they hear of it later."""
    one, other = caches(), caches()
    assert load(one, b"old")
    assert found(other) == b"old"
    up, one._store._up = one._store._up, None  # cut off, as far as this one can tell
    assert one.invalidate(TAGS) is False
    assert one.get_local(WANT).address is None
    one._store._up = up
    one._store._lose(up, ConnectionError())  # and its channel comes back
    until(lambda: one.get_shared(RemoteLookup(WANT)).address, within=10, every=0.05)
    assert found(one) is None
    until(lambda: found(other) is None, within=1)
    assert one.stats()["shared"]["untold"] == 0


def test_a_connection_that_is_closed_under_who_reads_is_a_store_that_is_away(caches):
    """redis-py then stumbles over its own parts, and raises what no list of errors foresees."""
    cache = caches()
    assert load(cache, b"1")
    store = cache._store

    def stumbles(_client, _backed):
        raise AttributeError("'NoneType' object has no attribute 'readline'")

    with pytest.raises(StoreUnavailable):
        store._use(stumbles)
    assert cache.get_local(WANT).entry is None, "as whenever it is away"
    until(lambda: cache.get_shared(RemoteLookup(WANT)).address, within=10, every=0.05)


VIEWS = {
    "page": "get: /x\ncache: {ttl: 1h, tags: [x]}\ncall: {get: inner:/of}\n",
    "part": "get: /c\ncall: {get: inner:/of, cache: {ttl: 1h, tags: [x]}}\n",
    "write": "post: /w\ninvalidates: [x]\ncall: {post: inner:/of}\n",
    "chain": "get: /chain\ncache: {ttl: 1h}\nshape: [a.n, b.n, c.n, d.n, e.n, f.n]\ncalls:\n"
    + "".join(
        f"  {name}: {{get: inner:/{name}, after: [{before}], cache: {{ttl: 1h}}}}\n"
        for name, before in zip("abcdef", ["", *"abcde"], strict=True)
    ),
}


class Noting(RedisStore):
    """A store that counts what is written to it."""

    written = 0

    def put(self, address, entry):
        super().put(address, entry)
        self.written += 1


class Patient(SystemClock):
    """On a busy machine a look at the store may take longer than a request would wait for it."""

    def mailbox(self):
        mailbox = super().mailbox()
        get = mailbox.get
        mailbox.get = lambda timeout: get(max(timeout, 2.0))
        return mailbox


def process_of(stack, stubs, url, timeout="2s", clock=None):
    """What a process has: its app and its cache."""
    root = "version: 1\nfrontends: {web: {access: none}}\n"
    root += f"services: {{inner: {{url: '{stubs.urls['inner']}', timeout: {timeout}}}}}\n"
    views = {name: parse(view, name, {}) for name, view in VIEWS.items()}
    config = assemble(parse(root, "bff.yaml", {}), views, {})
    exchange = PoolExchange(config.services, 16)
    stack.callback(exchange.close)
    cache = Cache(MB, lambda heard: Noting(url, heard))
    stack.callback(cache.close)
    settings = Settings(Path("unused"), management_bind=None)
    return create_app(
        check_config(config), settings, exchange=exchange, cache=cache, clock=clock
    ), cache


def test_a_store_that_is_away_costs_one_wait_however_much_is_looked_up(server):
    """A kept view of six kept calls in a row: seven look-ups, of which each could wait."""
    with ExitStack() as stack:
        stubs = stack.enter_context(StubServices({"inner": lambda _: StubReply.json({"n": 1})}))
        app, _ = process_of(stack, stubs, server.url)
        client = app.test_client()
        assert client.post("/web/w").status_code == 200  # connected
        server.freeze()
        took = []
        try:
            for _ in range(3):
                begun = time.monotonic()
                answer = client.get("/web/chain")
                took.append(time.monotonic() - begun)
                assert (answer.status_code, answer.json) == (200, [1] * 6)
        finally:
            server.thaw()
        print(f"the first {took[0] * 1000:.0f} ms, then {took[1] * 1000:.0f} ms")
        assert took[0] < 1.0, "seven waits would be 1.6 s"
        assert min(took[1:]) < 0.1, "it is skipped, by calls and views"


@contextmanager
def stopped(server):
    server.stop()
    yield
    server.start()


@contextmanager
def frozen(server):
    server.freeze()
    yield
    server.thaw()


TROUBLES = {"restart": stopped, "freeze": frozen}


class Seen:
    """Clients that go on until they are done, and what they saw."""

    def __init__(self, state):
        self.state, self.done = state, Event()
        self.statuses, self.wrong = [], []

    def more(self):
        """Wait until many more requests have been answered."""
        enough = len(self.statuses) + 100
        until(lambda: len(self.statuses) >= enough, within=20)

    def get(self, app, path):
        answer = app.test_client().get(path)
        self.statuses.append(answer.status_code)
        return answer

    def read(self, app):
        while not self.done.is_set():
            self.get(app, "/web/x")
            self.get(app, "/web/c")
            # what is in memory costs no system call: without a pause these two would keep the
            # interpreter to themselves, for seconds
            self.done.wait(0.005)

    def write(self, app):
        while not self.done.is_set():
            self.statuses.append(app.test_client().post("/web/w").status_code)
            written = self.state["n"]
            for path in ("/web/x", "/web/c"):
                answer = self.get(app, path)
                if answer.json["n"] < written:
                    self.wrong.append((path, answer.json, written, dict(answer.headers)))
            self.done.wait(0.005)


@pytest.mark.parametrize("trouble", [*TROUBLES])
def test_under_load_no_request_is_lost_and_every_answer_is_true(server, trouble):
    """One writes and reads what it has written; others read; Redis goes away and comes back.

    An answer is true if it is no older than the last write that had been answered, by the same
    process, when it was asked for.
    """
    state = {"n": 0}

    def inner(request):
        if request.method == "POST":
            state["n"] += 1
        return StubReply.json({"n": state["n"]})

    seen = Seen(state)
    with ExitStack() as stack:
        stubs = stack.enter_context(StubServices({"inner": inner}))
        apps, caches = zip(*(process_of(stack, stubs, server.url) for _ in range(2)), strict=True)
        threads = [Thread(target=seen.read, args=(app,)) for app in apps]
        threads.append(Thread(target=seen.write, args=(apps[0],)))
        for thread in threads:
            thread.start()
        try:
            seen.more()
            for _ in range(2):
                with TROUBLES[trouble](server):
                    until(lambda: all(cache.unavailable() for cache in caches))
                    seen.more()
                until(lambda: not any(cache.unavailable() for cache in caches))
                seen.more()
        finally:
            seen.done.set()
            for thread in threads:
                thread.join(20)
    assert seen.wrong == []
    assert set(seen.statuses) == {200}
    assert len(seen.statuses) > 100


def test_cold_processes_ask_once_each_at_most_and_one_in_turn(server):
    """How small the herd is: as many calls as processes where all are cold at the same moment,
    and one where they come one after the other."""
    asked, all_here = [], Event()

    def have_come(number):
        """Whether so many wait for a page that is under way."""
        flights = [app.view_functions["web.page"]._cached._flights._flights for app in apps]
        return number == sum(len(waiters) for each in flights for _, waiters in [*each.values()])

    def inner(_request):
        asked.append(1)
        all_here.wait(20)
        return StubReply.json({"n": 1})

    with ExitStack() as stack:
        stubs = stack.enter_context(StubServices({"inner": inner}))
        made = [process_of(stack, stubs, server.url, "5s", Patient()) for _ in range(4)]
        apps, caches = zip(*made, strict=True)
        for cache in caches:
            until(
                lambda cache=cache: cache.get_shared(RemoteLookup(WANT)).address
            )  # connected, and everything is cold
        threads = []
        try:
            for _ in range(25):  # a few at once: in one interpreter, more would wait for each other
                few = [Thread(target=app.test_client().get, args=("/web/x",)) for app in apps * 2]
                threads += few
                for thread in few:
                    thread.start()
                until(partial(have_come, len(threads)), within=20)
        finally:
            all_here.set()
            for thread in threads:
                thread.join(20)
        assert 1 <= len(asked) <= 4
        apps[0].test_client().post("/web/w")
        asked.clear()
        written = caches[0]._store.written
        for app in apps:
            assert app.test_client().get("/web/c").status_code == 200
            # what is kept is written behind the answer
            until(lambda: caches[0]._store.written > written)
        assert len(asked) == 1
