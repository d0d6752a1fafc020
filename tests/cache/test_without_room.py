"""Invalidations where nothing can be written: no process serves what is no longer true."""

import errno
import os
import time
from pathlib import Path

import pytest

from bff.cache.cache import Cache, RemoteLookup, RemoteWrite
from bff.cache.entry import CacheEntry
from bff.cache.files import FileStore
from bff.cache.key import cache_key, tag_of
from bff.cache.redis import RedisStore
from bff.cache.store import BackendStore
from tests.redis_server import until
from tests.small_disk import SmallDisk, fill
from tests.store.redis_server import RedisServer

MB = 1024 * 1024
WANT = cache_key(["x"], [tag_of("x")])
OTHER = cache_key(["y"], [tag_of("y")])


def load(cache: Cache, want=WANT) -> None:
    found = cache.get_shared(RemoteLookup(want))
    entry = CacheEntry(200, (), b"old", time.time(), 60.0)
    assert found.address
    cache.put_local(found.address, entry)
    cache.put_shared(RemoteWrite(found.address, entry))


def found(cache: Cache, want=WANT) -> CacheEntry | None:
    return cache.get_local(want).entry or cache.get_shared(RemoteLookup(want)).entry


def no_room(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def of_folder(folder: Path) -> Cache:
    return Cache(MB, lambda heard: FileStore(folder, heard))


def test_a_bump_that_cannot_be_written_is_told(tmp_path, monkeypatch):
    one, two = of_folder(tmp_path), of_folder(tmp_path)
    for want in (WANT, OTHER):
        load(one, want)
        assert found(two, want)
    monkeypatch.setattr(BackendStore, "bump", no_room)
    for _ in range(3):
        assert one.invalidate([tag_of("x")])
        assert found(one) is None
        assert found(two) is None
        assert found(two, OTHER), "what has other tags is served"
        load(two)
        assert found(one)


def test_a_bump_is_told_while_the_store_is_skipped(tmp_path, monkeypatch):
    one, two = of_folder(tmp_path), of_folder(tmp_path)
    load(one)
    assert found(two)
    with monkeypatch.context() as full:
        full.setattr(BackendStore, "put", no_room)
        full.setattr(BackendStore, "bump", no_room)
        load(one, OTHER)
        assert one.unavailable()
        one.invalidate([tag_of("x")])
        assert found(two) is None


@pytest.mark.large
def test_on_a_full_disk_nothing_old_is_served(small_disk: SmallDisk):
    folder = small_disk(256)
    one, two = of_folder(folder), of_folder(folder)
    for cycle in range(12):
        load(one)
        assert found(two), cycle
        fill(folder)
        one.invalidate([tag_of("x")])
        assert found(one) is None, cycle
        assert found(two) is None, cycle
        assert found(of_folder(folder)) is None, "nor by one that starts now"
        (folder / "filler").unlink()
        until(lambda: not one.unavailable())


def memory(server: RedisServer) -> None:
    server.tell("CONFIG", "SET", "maxmemory", "1")


def replica(server: RedisServer) -> None:
    server.tell("REPLICAOF", "127.0.0.1", "1")


def alone(server: RedisServer) -> None:
    server.tell("CONFIG", "SET", "min-replicas-to-write", "1")


@pytest.mark.parametrize("refuse", [memory, replica, alone])
def test_of_a_redis_that_takes_no_writes_nothing_old_is_served(tmp_path, refuse):
    server = RedisServer(tmp_path)
    one, two = (Cache(MB, lambda heard: RedisStore(server.url, heard)) for _ in range(2))
    try:
        for cache in (one, two):
            until(cache._store.await_ready)
        load(one)
        until(lambda: found(two))
        server.tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
        refuse(server)
        one.invalidate([tag_of("x")])
        assert found(one) is None
        until(lambda: found(two) is None)
        for _ in range(50):
            assert found(one) is None
            assert found(two) is None
            time.sleep(0.01)
        server.tell("CONFIG", "SET", "maxmemory", "0")
        server.tell("CONFIG", "SET", "min-replicas-to-write", "0")
        server.tell("REPLICAOF", "NO", "ONE")
        until(lambda: not (one.unavailable() or two.unavailable()))
        assert found(one) is None
        assert found(two) is None
    finally:
        one.close()
        two.close()
        server.stop()
