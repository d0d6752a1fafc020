"""What only the store in a Redis has to bear: servers that leave, hang, forget and refuse."""

import socket
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, Thread
from time import monotonic

import pytest
from redis.exceptions import ResponseError

from bff.errors import StoreAway
from bff.store.redis import CONNECTIONS, RedisStore, _reason
from tests.auth.away import BOUND, LATER, assert_away, assert_nothing_is_mixed_up, uses


@pytest.fixture
def redis(redis_server, opened, clock):
    """A store in the Redis of all tests."""
    return opened(redis_server.url, clock)


def fill_pool(store):
    """Have the store open several connections."""
    barrier = Barrier(4)

    def read(_):
        barrier.wait(10)
        for _ in range(20):
            store.get("key")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(read, range(4)))


def test_nothing_is_connected_before_it_is_used(opened):
    assert opened("redis://127.0.0.1:1")
    assert opened("redis+cluster://127.0.0.1:1")
    assert opened("redis+sentinel://127.0.0.1:1/shop")


def test_a_redis_that_was_killed_and_is_back_is_used_again(own, opened, clock):
    store = opened(own.url, clock)
    version = store.put("key", b"1", clock() + LATER)
    fill_pool(store)
    own.kill()
    assert_away(store, clock, "Connection refused")
    assert "Connection refused" in store.unready()
    own.start()
    assert (
        store.put("key", b"2", clock() + LATER, version) == ""
    )  # it kept nothing, not even scripts
    version = store.put("key", b"3", clock() + LATER)
    assert store.delete("key", version)
    clock.advance(6)
    assert store.unready() == ""


def test_a_redis_that_restarts_between_two_requests_fails_none(own, opened, clock):
    store = opened(own.url, clock)
    for _ in range(3):
        store.put("key", b"1", clock() + LATER)
        fill_pool(store)
        own.stop()
        own.start()
        for use in uses(store, clock):
            use()


def test_connections_that_redis_has_closed_fail_no_request(redis, redis_server, clock):
    redis.put("key", b"1", clock() + LATER)
    for use in uses(redis, clock):
        fill_pool(redis)
        redis_server.tell("CLIENT", "KILL", "TYPE", "normal")
        use()


def test_a_redis_that_hangs_holds_nobody_and_mixes_nothing_up_afterwards(own, opened, clock):
    store = opened(own.url, clock)
    assert_nothing_is_mixed_up(store, own, clock)


def test_scripts_that_redis_has_forgotten_are_told_again(redis, redis_server, clock):
    for _ in range(2):
        version = redis.put("key", b"1", clock() + LATER)
        redis_server.tell("SCRIPT", "FLUSH")
        version = redis.put("key", b"2", clock() + LATER, version)
        redis_server.tell("SCRIPT", "FLUSH")
        assert redis.delete("key", version)
        redis_server.tell("SCRIPT", "FLUSH")
        redis.add("group", "member", clock() + LATER)


class LosesReplies:
    """Stands before a Redis, and loses the first reply to each script and each DEL."""

    def __init__(self, port):
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        self.lost = []
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with suppress(OSError):
            while True:
                self._carry(*self._listener.accept())

    def _carry(self, ours, _):
        with ours, socket.create_connection(("127.0.0.1", self._to)) as redis:
            while asked := ours.recv(65536):
                redis.sendall(asked)
                reply = redis.recv(65536)
                writes = b"EVALSHA" in asked or b"\r\nDEL\r\n" in asked
                if writes and asked not in self.lost and b"NOSCRIPT" not in reply:
                    self.lost.append(asked)
                    return
                ours.sendall(reply)

    def close(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


@pytest.fixture
def loses_replies(redis_server):
    between = LosesReplies(redis_server.port)
    yield between
    between.close()


def test_a_write_whose_reply_was_lost_is_no_write_that_was_refused(
    redis, opened, clock, loses_replies
):
    redis.put("other", b"", clock() + LATER)  # Redis knows the script by now
    store = opened(loses_replies.url, clock)
    first = store.put("key", b"1", clock() + LATER)
    second = store.put("key", b"2", clock() + LATER, first)
    store.close()
    assert len(loses_replies.lost) == 2
    assert first
    assert redis.get("key").version == second


def test_a_removal_whose_reply_was_lost_has_removed(redis, opened, clock, loses_replies):
    """Who is told that nothing was removed revokes no tokens at the provider."""
    assert redis.delete("other", redis.put("other", b"", clock() + LATER))  # it knows the script
    version = redis.put("key", b"1", clock() + LATER)
    redis.put("plain", b"1", clock() + LATER)
    store = opened(loses_replies.url, clock)
    assert store.delete("key", version)
    assert store.delete("plain")
    store.close()
    assert len(loses_replies.lost) == 2
    assert redis.get("key") is redis.get("plain") is None


def test_a_removal_whose_reply_was_lost_has_not_removed_another_version(
    redis, opened, clock, loses_replies
):
    assert redis.delete("other", redis.put("other", b"", clock() + LATER))
    redis.put("key", b"1", clock() + LATER)
    store = opened(loses_replies.url, clock)
    assert not store.delete("key", "0123456789abcdef")
    store.close()
    assert len(loses_replies.lost) == 1
    assert redis.get("key")


def test_what_was_never_there_was_not_removed(redis):
    assert not redis.delete("nothing")
    assert not redis.delete("nothing", "0123456789abcdef")


def test_what_somebody_else_wrote_there_is_not_nothing(redis, redis_server):
    redis_server.tell("SET", "bff:entry:short", "x")
    redis_server.tell("RPUSH", "bff:entry:list", "x")
    for key in ("short", "list"):
        with pytest.raises(StoreAway):
            redis.get(key)


def test_everything_has_a_prefix_and_an_end(redis, redis_server, clock):
    redis.put("key", b"1", clock() + 50)
    redis.add("group", "a", clock() + 70)
    redis.add("group", "b", clock() + 20)
    assert sorted(redis_server.tell("KEYS", "*")) == [b"bff:entry:key", b"bff:group:group"]
    assert 45_000 < redis_server.tell("PTTL", "bff:entry:key") <= 50_000
    assert 65_000 < redis_server.tell("PTTL", "bff:group:group") <= 70_000
    clock.advance(30)
    redis.add("group", "c", clock() + 1)
    assert redis_server.tell("ZCARD", "bff:group:group") == 2, "`b` has expired, and gone"
    assert 35_000 < redis_server.tell("PTTL", "bff:group:group") <= 40_000


def test_a_password_opens_it_and_no_error_repeats_it(redis_servers, opened, clock):
    server = redis_servers("requirepass right-secret")
    assert opened(f"redis://:right-secret@127.0.0.1:{server.port}", clock).get("key") is None
    for login in (":wrong-secret@", "nobody:wrong-secret@", ""):
        store = opened(f"redis://{login}127.0.0.1:{server.port}", clock)
        with pytest.raises(StoreAway, match="Auth") as caught:
            store.put("key", b"1", clock() + LATER)
        told = "".join(traceback.format_exception(caught.value)) + repr(store) + store.unready()
        assert "secret" not in told


def test_a_redis_that_evicts_is_not_ready(redis_servers, opened, clock):
    server = redis_servers("maxmemory-policy allkeys-lru")
    store = opened(server.url, clock)
    assert "has to be noeviction, and is allkeys-lru" in store.unready()
    server.tell("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    assert "allkeys-lru" in store.unready(), "it is not asked each time"
    clock.advance(6)
    assert "volatile-ttl" in store.unready()
    server.tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
    clock.advance(6)
    assert store.unready() == ""


def test_a_redis_that_does_not_say_whether_it_evicts_is_not_ready(redis_servers, opened, clock):
    server = redis_servers("user ada on >secret ~bff:* +@all -info")
    store = opened(f"redis://ada:secret@127.0.0.1:{server.port}", clock)
    assert store.put("key", b"1", clock() + LATER)
    assert "NoPermission" in store.unready()


def test_a_full_redis_takes_nothing_and_is_still_read(redis_servers, opened, clock):
    server = redis_servers("maxmemory-policy noeviction")
    store = opened(server.url, clock)
    version = store.put("key", b"1", clock() + LATER)
    server.tell("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreAway, match="memory is full"):
        store.put("key", b"2", clock() + LATER, version)
    assert store.get("key").value == b"1"
    assert store.delete("key", version)


def test_a_master_that_became_a_replica_takes_nothing_and_is_left(own, opened, clock):
    store = opened(own.url, clock)
    version = store.put("key", b"1", clock() + LATER)
    made = store._client
    own.tell("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(StoreAway, match="it is a replica"):
        store.put("key", b"2", clock() + LATER, version)
    assert store._client is not made, "the next connection may lead to the new master"
    own.tell("REPLICAOF", "NO", "ONE")
    assert store.put("key", b"2", clock() + LATER, version)


def test_who_finds_all_connections_in_use_does_not_wait_for_long(redis):
    for _ in range(CONNECTIONS):
        redis._slots.acquire()
    began = monotonic()
    with pytest.raises(StoreAway, match="in use"):
        redis.get("key")
    assert monotonic() - began < BOUND
    redis._slots.release()
    assert redis.get("key") is None


def test_more_threads_than_connections_take_turns(redis, clock):
    with ThreadPoolExecutor(2 * CONNECTIONS) as threads:
        written = list(
            threads.map(lambda number: redis.put(str(number), b"", clock() + LATER), range(500))
        )
    assert all(written)


@pytest.mark.parametrize("name", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_a_file_of_tls_that_is_not_there_is_named(name, clock, tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_text("one that is read when somebody answers")
    files = {"ssl_ca_certs": ca, "ssl_certfile": ca, "ssl_keyfile": ca, name: "/nowhere/x.pem"}
    query = "&".join(f"{key}={path}" for key, path in files.items())
    store = RedisStore(f"rediss://127.0.0.1:1?{query}", clock)
    with pytest.raises(StoreAway, match=r"No such file or directory: /nowhere/x\.pem"):
        store.get("key")


def refuses_by_memory(server):
    server.tell("CONFIG", "SET", "maxmemory", "1")


def refuses_as_a_replica(server):
    server.tell("REPLICAOF", "127.0.0.1", "1")


def refuses_without_replicas(server):
    server.tell("CONFIG", "SET", "min-replicas-to-write", "1")


@pytest.mark.parametrize(
    ("refuse", "why"),
    [
        (refuses_by_memory, "its memory is full"),
        (refuses_as_a_replica, "it is a replica"),
        (refuses_without_replicas, "too few replicas"),
    ],
)
def test_a_redis_that_takes_no_writes_is_not_ready_and_says_why(
    redis_servers, opened, clock, refuse, why
):
    server = redis_servers("maxmemory-policy noeviction")
    store = opened(server.url, clock)
    assert store.unready() == ""
    refuse(server)
    clock.advance(6)
    assert f"Redis at 127.0.0.1:{server.port}: it takes no writes: {why}" in store.unready()
    with pytest.raises(StoreAway, match=why):
        store.put("key", b"1", clock() + LATER)


@pytest.mark.parametrize("code", ["MISCONF", "OOM", "NOREPLICAS"])
def test_of_what_redis_says_only_the_code_counts(code):
    said = _reason(ResponseError(f"{code} of b'S3CRET'"))
    assert said.startswith("it takes no writes")
    assert "S3CRET" not in said
