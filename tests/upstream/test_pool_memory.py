"""The budget of bytes at the exchange: judged at the head, given back however an attempt ends."""

import gc
import time
from contextlib import contextmanager

import pytest

from bff.errors import MemoryReached, TooMany
from bff.model.exchange import Reply
from bff.upstream.memory import Memory

MB = 1024 * 1024
PLAIN = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def without_collector():
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def given_back(memory, within=10.0):
    end = time.monotonic() + within
    while memory.taken:
        assert time.monotonic() < end, memory.taken
        time.sleep(0.005)


@pytest.fixture
def limited(asking):
    def make(server, most, **more):
        memory = Memory(most)
        return asking(s=server.url, memory=memory, **more), memory

    return make


@pytest.mark.parametrize("length", [9 * MB, 2**60, 7 * MB])
def test_a_length_without_room_is_refused_before_the_body_comes(serving, limited, length):
    def serve(wire):
        wire.head()
        wire.send(PLAIN + b"Content-Length: %d\r\n\r\n" % length)
        wire.until_left()

    exchange, memory = limited(serving(serve), 4 * MB)
    result = exchange.ask(max_reply=8 * MB)
    assert isinstance(result, TooMany)
    assert isinstance(result, MemoryReached) == (length == 7 * MB)
    assert memory.taken == 0


@pytest.mark.parametrize("status", [b"200 OK", b"304 Not Modified", b"204 No Content"])
def test_a_length_of_no_body_is_not_judged(serving, limited, status):
    def serve(wire):
        while wire.head():
            wire.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 99999999\r\n\r\n")

    exchange, _ = limited(serving(serve), 4 * MB)
    method = "HEAD" if b"200" in status else "GET"
    assert isinstance(exchange.ask(method=method), Reply)


@pytest.mark.parametrize("how", ["late", "cancelled", "endless", "cut off"])
def test_what_an_attempt_took_is_given_back(serving, limited, how):
    def serve(wire):
        wire.head()
        wire.send(PLAIN + b"Transfer-Encoding: chunked\r\n\r\n")
        while True:
            wire.send(b"10000\r\n" + bytes(65536) + b"\r\n")
            if how == "cut off":
                return
            if how != "endless":
                time.sleep(0.01)

    exchange, memory = limited(serving(serve), 64 * MB)
    with without_collector():
        handle = exchange.start(seconds=0.3 if how == "late" else 20.0)
        while how in {"late", "cancelled"} and not memory.taken:
            exchange.turn()
        if how == "cancelled":
            exchange.exchange.cancel(handle)
        else:
            assert not isinstance(exchange.next().result, Reply)
        del handle
        given_back(memory)


def test_a_reply_that_nobody_takes_is_given_back(serving, limited):
    def serve(wire):
        while wire.head():
            wire.reply(bytes(MB))

    exchange, memory = limited(serving(serve), 64 * MB)
    with without_collector():
        exchange.start()
        assert exchange.next().result.lease.size == MB
        assert memory.taken in {0, MB}, "the last reference may be the pool thread's"
        given_back(memory)
