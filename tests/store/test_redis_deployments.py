"""The store in a Redis that Sentinels watch, in a Cluster, and over TLS."""

import subprocess

import pytest
from redis.exceptions import InvalidResponse

from bff.errors import StoreAway
from tests.auth.away import LATER, assert_away, assert_nothing_is_mixed_up
from tests.ports import free_port


@pytest.mark.parametrize("kind", ["redis://{}", "redis+sentinel://{}/shop", "redis+cluster://{}"])
def test_where_no_redis_is_the_store_is_away(opened, clock, kind):
    place = f"127.0.0.1:{free_port()}"
    store = opened(kind.format(place), clock)
    assert_away(store, clock)
    assert place in store.unready()


@pytest.fixture
def sentinels(own, redis_servers):
    """A Redis, and the address of the Sentinel that watches it."""
    watching = redis_servers(sentinel_of=own.port)
    return f"redis+sentinel://127.0.0.1:1,127.0.0.1:{watching.port}/shop/0"


def test_sentinels_say_where_the_master_is(own, sentinels, opened, clock):
    store = opened(sentinels, clock)
    version = store.put("key", b"1", clock() + LATER)
    assert store.unready() == ""
    own.stop()
    with pytest.raises(StoreAway):
        store.get("key")
    own.start()
    assert store.put("key", b"2", clock() + LATER, version) == ""
    assert store.get("key") is None


def test_a_master_of_sentinels_that_hangs_mixes_nothing_up_afterwards(
    own, sentinels, opened, clock
):
    assert_nothing_is_mixed_up(opened(sentinels, clock), own, clock)


@pytest.mark.parametrize("error", [InvalidResponse, KeyboardInterrupt])
def test_a_connection_whose_reply_was_not_read_is_closed(sentinels, opened, clock, error):
    store = opened(sentinels, clock)
    store.put("key", b"1", clock() + LATER)
    (connection,) = store._client.connection_pool._available_connections

    def interrupted(*_args, **_more):
        raise error

    connection._parser.read_response = interrupted
    with pytest.raises((StoreAway, KeyboardInterrupt)):
        store.get("key")
    assert connection._sock is None


def test_a_master_that_sentinels_do_not_know_is_away(sentinels, opened, clock):
    assert_away(opened(sentinels.replace("/shop", "/other"), clock), clock)


def test_a_cluster_is_a_store_too(redis_servers, opened, clock, until):
    server = redis_servers("cluster-enabled yes", f"cluster-port {free_port()}")
    server.tell("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    until(lambda: b"cluster_state:ok" in server.tell("CLUSTER", "INFO"))
    store = opened(f"redis+cluster://127.0.0.1:1,127.0.0.1:{server.port}", clock)
    version = store.put("key", b"1", clock() + LATER)
    assert store.put("key", b"2", clock() + LATER) == ""
    assert store.put("key", b"2", clock() + LATER, version)
    store.add("group", "member", clock() + LATER)
    assert store.members("group") == ["member"]
    assert store.get("key").value == b"2"
    assert store.unready() == ""
    server.tell("CONFIG", "SET", "maxmemory-policy", "allkeys-lfu")
    clock.advance(6)
    assert "allkeys-lfu" in store.unready()
    server.tell("SCRIPT", "FLUSH")
    server.tell("CLIENT", "KILL", "TYPE", "normal")
    assert store.put("other", b"1", clock() + LATER)
    server.kill()
    assert_away(store, clock)


@pytest.fixture
def certificate(tmp_path):
    """The options of a server with TLS, besides its port, and the file by which it is trusted."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {cert}"
    names = ["-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)  # noqa: S603  (a command of our own)
    options = (f"tls-cert-file {cert}", f"tls-key-file {key}", f"tls-ca-cert-file {cert}")
    return (*options, "tls-auth-clients no", "tls-replication yes"), cert


def test_tls_is_spoken_to_a_redis_that_is_trusted(redis_servers, opened, clock, certificate):
    options, trusted = certificate
    port, sentinel_port = free_port(), free_port()
    redis_servers(f"tls-port {port}", *options)
    redis_servers(f"tls-port {sentinel_port}", *options, sentinel_of=port)
    for url in (
        f"rediss://127.0.0.1:{port}/0",
        f"rediss+sentinel://127.0.0.1:{sentinel_port}/shop/0",
    ):
        store = opened(f"{url}?ssl_ca_certs={trusted}", clock)
        assert store.put(url, b"1", clock() + LATER)
        with pytest.raises(StoreAway):
            opened(url, clock).get(url)
        with pytest.raises(StoreAway):
            opened(url.replace("rediss", "redis"), clock).get(url)
