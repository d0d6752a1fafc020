"""The other two forms of Redis, with real servers: a Cluster of three nodes, and Sentinel."""

import subprocess
import time
from contextlib import ExitStack

import pytest

from bff.cache.cache import Cache, RemoteLookup, RemoteWrite
from bff.cache.entry import CacheEntry
from bff.cache.key import cache_key, tag_of
from bff.cache.redis import RedisStore
from tests.ports import free_port
from tests.redis_server import RedisServer, until

pytestmark = pytest.mark.large
MB = 1024 * 1024


def want(name):
    return cache_key([name], [tag_of(name)])


def load(cache, name):
    found = until_usable(cache, name)
    entry = CacheEntry(200, (), name.encode(), time.time(), 60.0)
    cache.put_local(found.address, entry)
    cache.put_shared(RemoteWrite(found.address, entry))


def until_usable(cache, name):
    until(lambda: cache.get_shared(RemoteLookup(want(name))).address, within=20, every=0.05)
    return cache.get_shared(RemoteLookup(want(name)))


def cli(port, *words):
    done = subprocess.run(  # noqa: S603 - our own command
        ["/usr/bin/env", "redis-cli", "-p", str(port), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.stdout


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


def two(stack, url):
    caches = [Cache(MB, lambda heard: RedisStore(url, heard)) for _ in range(2)]
    for cache in caches:
        stack.callback(cache.close)
    return caches


def test_a_cluster_of_three_nodes_keeps_and_invalidates(stack, tmp_path):
    words = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
    nodes = []
    while len(nodes) < 3:
        port = free_port()
        if port < 55_000:  # its bus is 10,000 above
            nodes.append(RedisServer(tmp_path / str(port), *words, port=port))
            stack.callback(nodes[-1].stop)
            nodes[-1].start()
    places = [f"127.0.0.1:{node.port}" for node in nodes]
    cli(nodes[0].port, "--cluster", "create", *places, "--cluster-yes")
    until(lambda: all("cluster_state:ok" in cli(n.port, "cluster", "info") for n in nodes), 20)
    one, other = two(stack, f"redis+cluster://{','.join(places)}")
    names = [f"entry {number}" for number in range(20)]  # over all slots
    for name in names:
        load(one, name)
    for name in names:
        assert until_usable(other, name).entry.body == name.encode()
        assert one.invalidate([tag_of(name)])
        until(lambda name=name: other.get_local(want(name)).entry is None, within=1)
        assert other.get_shared(RemoteLookup(want(name))).entry is None
    nodes[1].stop()
    until(one.unavailable, within=10)
    assert one.get_local(want("entry 0")).address is None


def test_a_failover_of_sentinel_loses_nothing_but_what_was_kept(stack, tmp_path):
    main, replica = RedisServer(tmp_path / "main"), None
    stack.callback(main.stop)
    main.start()
    replica = RedisServer(tmp_path / "replica", "--replicaof", "127.0.0.1", str(main.port))
    stack.callback(replica.stop)
    replica.start()
    port = free_port()
    settings = tmp_path / "sentinel.conf"
    settings.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\n"
        f"sentinel monitor shop 127.0.0.1 {main.port} 1\n"
        "sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 3000\n"
    )
    log = (tmp_path / "sentinel.log").open("wb")
    stack.callback(log.close)
    process = subprocess.Popen(  # noqa: S603 - our own command
        ["/usr/bin/env", "redis-server", str(settings), "--sentinel"], stdout=log, stderr=log
    )
    stack.callback(process.wait, 10)
    stack.callback(process.kill)
    until(lambda: "slaves=1" in cli(port, "info", "sentinel"), within=20, every=0.1)
    one, other = two(stack, f"redis+sentinel://127.0.0.1:{port}/shop/0")
    load(one, "x")
    assert until_usable(other, "x").entry.body == b"x"
    main.stop()
    until(lambda: one.get_local(want("x")).entry is None, within=5)
    assert one.invalidate([tag_of("x")]) is False
    until_usable(one, "y")
    assert one.get_shared(RemoteLookup(want("x"))).entry is None, (
        "what the replica had is of another Redis"
    )
    load(one, "x")
    assert until_usable(other, "x").entry.body == b"x"
    assert other.invalidate([tag_of("x")])
    until(lambda: one.get_local(want("x")).entry is None, within=1)
