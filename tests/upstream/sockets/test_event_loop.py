"""The loop only moves bytes: what one service sends does not delay another."""

import gzip
import threading
from time import monotonic

import pytest

from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.model.source import Place
from bff.upstream.exchange import SystemClock
from bff.upstream.sockets.exchange import SocketExchange

LARGE = gzip.compress(b'{"a": "' + b"0123456789" * 800_000 + b'"}', 1)


def serve_large(wire):
    while wire.head():
        wire.reply(LARGE, headers=(b"Content-Encoding: gzip",))


def serve_small(wire):
    while wire.head():
        wire.reply(b"{}")


@pytest.fixture
def exchange(serving):
    services = {
        name: Service(name, Place("t"), serving(serve).url, 20.0, 16 * 1024 * 1024)
        for name, serve in (("large", serve_large), ("small", serve_small))
    }
    made = SocketExchange(services, 8)
    yield made
    made.close()


def ask(exchange, service, mailbox):
    request = Request(service, "GET", "/", max_reply=16 * 1024 * 1024)
    began = monotonic()
    exchange.start(request, Deadline(began + 20), 1, mailbox)
    completion = mailbox.get(20)
    return completion.result, monotonic() - began


def test_large_and_coded_bodies_are_not_decoded_by_the_loop(exchange):
    threads = []

    class Sink:
        def __init__(self):
            self.come = threading.Event()

        def put(self, completion):
            threads.append(threading.current_thread().name)
            assert isinstance(completion.result, Reply)
            self.come.set()

    for service in ("large", "small"):
        sink = Sink()
        request = Request(service, "GET", "/", max_reply=16 * 1024 * 1024)
        exchange.start(request, Deadline(monotonic() + 20), 1, sink)
        assert sink.come.wait(20)
    assert threads[0].startswith("bff-upstream-unpack")
    assert threads[1] == "bff-upstream-loop"


@pytest.mark.large
def test_8_mb_of_gzip_delay_another_call_by_less_than_5_ms(exchange):
    """Of many, the median: a busy machine delays single ones by itself."""
    mailbox = SystemClock().mailbox()

    def median(times=60):
        took = [ask(exchange, "small", mailbox)[1] for _ in range(times)]
        return sorted(took)[times // 2]

    for service in ("small", "large"):
        assert isinstance(ask(exchange, service, mailbox)[0], Reply)
    alone, over = median(), threading.Event()

    def keep_busy():
        mine = SystemClock().mailbox()
        while not over.is_set():
            assert isinstance(ask(exchange, "large", mine)[0], Reply)

    busy = threading.Thread(target=keep_busy)
    busy.start()
    beside = median()
    over.set()
    busy.join()
    print(f"alone {alone * 1000:.2f} ms, beside {beside * 1000:.2f} ms")
    assert beside - alone < 0.005
