"""What every store holds to: one suite, over files and over a real Redis."""

import itertools
import os
import time
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier, Thread

import pytest

from bff.cache.cache import Cache, RemoteLookup, RemoteWrite
from bff.cache.entry import CacheEntry
from bff.cache.files import FileStore
from bff.cache.key import EVERYTHING, cache_key, key_of, tag_of
from bff.cache.redis import RedisStore
from bff.cache.serializer import PlainSerializer
from tests.redis_server import until

MB = 1024 * 1024


def entry(body=b"x", fresh=60.0, **more):
    return CacheEntry(200, (("content-type", "text/plain"),), body, time.time(), fresh, **more)


@pytest.fixture(params=["file", "redis"])
def caches(request, tmp_path):
    """Makes caches of processes that share one store."""
    with ExitStack() as stack:

        def make(store=request.param, bound=MB):
            if store == "file":
                cache = Cache(bound, lambda heard: FileStore(tmp_path / "kept", heard))
            else:
                server = request.getfixturevalue("redis_server")
                cache = Cache(bound, lambda heard: RedisStore(server.url, heard))
                stack.callback(cache.close)
                until(cache._store.await_ready)  # a request waits for its first connection briefly
                return cache
            stack.callback(cache.close)
            return cache

        yield make


NUMBERS = itertools.count()


@pytest.fixture
def want():
    """Something nobody has looked for before, under a tag of its own."""
    number = next(NUMBERS)
    return cache_key(["test", os.getpid(), number], [tag_of(f"tag {os.getpid()} {number}")])


def load(cache, want, kept):
    """As a miss goes: look, load, keep at both levels."""
    found = cache.get_shared(RemoteLookup(want))
    cache.put_local(found.address, kept)
    cache.put_shared(RemoteWrite(found.address, kept))
    return found


def test_what_one_process_keeps_another_finds(caches, want):
    one, other = caches(), caches()
    assert load(one, want, entry(b"\x00\xff body")).entry is None
    found = other.get_shared(RemoteLookup(want))
    assert found.entry.body == b"\x00\xff body"
    assert other.get_local(want).entry == found.entry, "and has it in memory from then on"
    assert not other.get_local(want).ask_shared


def test_nothing_is_found_without_asking_before_generations_are_known(caches, want):
    cache = caches()
    near = cache.get_local(want)
    assert near.address is None
    assert near.ask_shared


def test_an_invalidation_makes_it_unreachable_at_once(caches, want):
    cache = caches()
    load(cache, want, entry())
    assert cache.invalidate([tag_of("another tag")])
    assert cache.get_shared(RemoteLookup(want)).entry is not None
    assert cache.invalidate([tag for tag in want.tags if tag != key_of(EVERYTHING)])
    assert cache.get_local(want).entry is None
    assert cache.get_shared(RemoteLookup(want)).entry is None


def test_an_invalidation_reaches_every_process_within_100_ms(caches, want):
    one, other = caches(), caches()
    load(one, want, entry())
    slowest = 0.0
    for _ in range(20):
        until(lambda: learnt(other, want))
        assert other.get_local(want).entry is not None
        one.invalidate(want.tags)
        slowest = max(slowest, until(lambda: other.get_local(want).entry is None))
    assert slowest < 0.1


def test_everything_can_be_invalidated(caches, want):
    one, other = caches(), caches()
    load(one, want, entry())
    other.get_shared(RemoteLookup(want))
    other.invalidate_all()
    assert one.get_shared(RemoteLookup(want)).entry is None


def test_what_was_loaded_before_an_invalidation_is_not_found_after_it(caches, want):
    """The race of a write with a read that began before it: the address is of before."""
    cache, other = caches(), caches()
    began = cache.get_shared(RemoteLookup(want))
    other.invalidate(want.tags)
    cache.put_local(began.address, entry(b"of before"))
    cache.put_shared(RemoteWrite(began.address, entry(b"of before")))
    until(lambda: cache.get_local(want).ask_shared)
    assert cache.get_shared(RemoteLookup(want)).entry is None
    assert other.get_shared(RemoteLookup(want)).entry is None


def test_two_processes_agree_on_a_generation_that_neither_knew(caches, want):
    both = [caches() for _ in range(4)]
    for cache in both:
        cache.get_shared(RemoteLookup(cache_key(["first"], [])))  # connected
    found, barrier = [], Barrier(len(both))

    def look(cache):
        barrier.wait(10)
        found.append(cache.get_shared(RemoteLookup(want)).address)

    threads = [Thread(target=look, args=(cache,)) for cache in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    last = {cache.get_shared(RemoteLookup(want)).address for cache in both}
    assert len(found) == 4
    assert len(last) == 1


def test_bytes_that_are_no_entry_are_none(caches, want, tmp_path, request):
    cache = caches()
    found = load(cache, want, entry())
    if request.node.callspec.params["caches"] == "file":
        for path in (tmp_path / "kept/entries").iterdir():
            if path.is_file() and path.stat().st_size > 60:
                path.write_bytes(path.read_bytes()[:4] + b"bsomething else")
    else:
        import redis

        client = redis.Redis.from_url(request.getfixturevalue("redis_server").url)
        (key,) = client.keys(f"*e:{found.address}")
        client.set(key, b"!\x80\x04.")  # a pickle is not even looked at
        client.close()
    assert caches().get_shared(RemoteLookup(want)).entry is None


def test_an_entry_leaves_the_store_when_it_is_of_no_use(caches, want):
    cache = caches()
    load(cache, want, entry(fresh=0.2))
    assert caches().get_shared(RemoteLookup(want)).entry is not None
    until(lambda: caches().get_shared(RemoteLookup(want)).entry is None, within=5, every=0.1)


def test_values_are_bytes_and_never_pickles():
    plain = PlainSerializer()
    for value in (b"", b"x", b"\x80\x04K\x01.", 0, 12):
        assert plain.loads(plain.dumps(value)) == value
    for stored in (None, b"", b"!\x80\x04K\x01.", b"\x80\x04K\x01.", b"nx"):
        assert plain.loads(stored) is None
    for value in ("text", None, True, [1]):
        with pytest.raises(TypeError):
            plain.dumps(value)


def learnt(cache, want):
    """Have it in memory, whatever changes meanwhile."""
    if cache.get_shared(RemoteLookup(want)).entry is None:
        load(cache, want, entry())
    return cache.get_local(want).entry is not None


# -- a store that is away ------------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_is_skipped(tmp_path, want):
    (tmp_path / "kept").write_text("a file where the folder should be")
    now = [0.0]
    cache = Cache(MB, lambda heard: FileStore(tmp_path / "kept", heard, lambda: now[0]))
    assert cache.get_local(want).ask_shared
    assert cache.get_shared(RemoteLookup(want)).address is None
    assert not cache.get_local(want).ask_shared, "it is not tried again at once"
    assert cache.invalidate(want.tags) is False
    (tmp_path / "kept").unlink()
    now[0] = 2.0
    assert cache.get_shared(RemoteLookup(want)).address is not None
    cache.close()


def test_what_could_not_be_told_is_told_before_anything_is_found(tmp_path, want):
    now = [0.0]
    folder = tmp_path / "kept"
    cache = Cache(MB, lambda heard: FileStore(folder, heard, lambda: now[0]))
    other = Cache(MB, lambda heard: FileStore(folder, heard))
    load(cache, want, entry())
    folder.rename(tmp_path / "gone")
    folder.write_text("")
    assert cache.invalidate(want.tags) is False
    folder.unlink()
    Path(tmp_path / "gone").rename(folder)
    assert other.get_shared(RemoteLookup(want)).entry is not None, "it could not be told"
    now[0] = 2.0
    assert cache.get_shared(RemoteLookup(want)).entry is None
    assert other.get_shared(RemoteLookup(want)).entry is None
