"""Many threads, services that echo, and everything that ends a request early: no answer has a
byte of another's, nothing hangs, and nothing is left behind."""

import asyncio
import random
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from time import monotonic
from urllib.parse import parse_qs, urlsplit

import pytest

from bff.errors import BffError
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.model.source import Place
from bff.upstream.batch_exchange import BatchExchange
from bff.upstream.exchange import DetachedMailbox
from bff.upstream.sockets.exchange import SocketExchange
from bff.upstream.sockets.polled_mailbox import PollingClock
from bff.upstream.sockets.poller import poller_of_this_thread

THREADS = 64
PATIENCE = 30.0
WAYS = ["whole"] * 8 + ["chunked", "late", "late", "cut", "reset", "close", "surplus", "dribbled"]


def body_of(nonce, size):
    return (nonce.encode() + b".") * size


class Echo:
    """Answers each target with a body made of it, in whichever way the target says."""

    def __init__(self):
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        self.url = f"http://127.0.0.1:{self.port}"

    async def _main(self):
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        serving = asyncio.all_tasks() - {asyncio.current_task()}
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving)
        await asyncio.sleep(0)  # the transports close

    async def _serve(self, reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                target = head.split(b" ", 2)[1].decode()
                asked = {name: each[0] for name, each in parse_qs(urlsplit(target).query).items()}
                if not await self._reply(writer, asked):
                    break
        writer.transport.abort() if self._over.is_set() else writer.close()

    async def _reply(self, writer, asked):
        way, body = asked["way"], body_of(asked["nonce"], int(asked["size"]))
        await asyncio.sleep(float(asked["after"]))
        if way == "reset":
            writer.transport.abort()
            return False
        length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        if way == "chunked":
            head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            half = len(body) // 2
            pieces = [each for each in (body[:half], body[half:]) if each]
            framed = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces)
            writer.write(head + framed + b"0\r\n\r\n")
        elif way == "cut":
            writer.write(length + body[: len(body) // 2])
            return False
        elif way == "close":
            writer.write(length.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
            return False
        elif way == "surplus":
            writer.write(length + body + length + body)
        elif way == "dribbled":
            for at in range(0, len(body), 1 + len(body) // 3):
                writer.write((b"" if at else length) + body[at : at + 1 + len(body) // 3])
                await asyncio.sleep(0.001)
        else:
            writer.write(length + body)
        await writer.drain()
        return True

    def close(self):
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


class Asker:
    """One thread's worth of conducting, with every way of giving up."""

    def __init__(self, number, exchange, share):
        self._dice = random.Random(number)
        self._exchange, self._share = exchange, share
        self.seen = Counter()
        self.wrong = []

    def run(self):
        try:
            while self._share > 0:
                self._share -= self._round()
        except BaseException as error:  # noqa: BLE001 - the test's own thread reports it
            self.wrong.append(repr(error))

    def _round(self):
        dice = self._dice
        mailbox = PollingClock().mailbox()  # numbers begin anew: what is late lands nowhere
        sink = DetachedMailbox(mailbox) if dice.random() < 0.2 else mailbox
        exchange = BatchExchange(self._exchange) if dice.random() < 0.1 else self._exchange
        wanted, out = {}, {}
        number = dice.randrange(1, 6)
        for attempt in range(1, number + 1):
            nonce = f"{dice.getrandbits(64):x}"
            if wanted and dice.random() < 0.2:
                nonce = wanted[attempt - 1][0]  # a hedge
            size = dice.choice([0, 1, 5, 100, 5000])
            self._start(exchange, attempt, nonce, size, sink, wanted, out)
        given_up = {each for each in out if dice.random() < 0.15}
        until = monotonic() + PATIENCE
        for each in given_up:
            self._give_up(exchange, out[each])
        while out.keys() - given_up:
            completion = mailbox.get(0.05)
            if completion is None:
                assert monotonic() < until, f"lost: {out.keys() - given_up}"
                continue
            self._check(completion, wanted)
            out.pop(completion.attempt, None)
            if out and dice.random() < 0.1:  # another one came first
                loser = dice.choice(list(out))
                exchange.cancel(out[loser])
                given_up.add(loser)
        if sink is mailbox:
            assert len(poller_of_this_thread()) == 0, "left behind"
        return number

    def _start(self, exchange, attempt, nonce, size, sink, wanted, out):
        dice = self._dice
        way = dice.choice(WAYS)
        after = dice.choice([0, 0, 0, 0.001, 0.01]) + (1.0 if way == "late" else 0)
        target = f"/?nonce={nonce}&size={size}&way={way}&after={after}"
        method = dice.choice(["GET", "GET", "GET", "POST", "PUT"])
        request = Request("s", method, target)
        deadline = Deadline(monotonic() + dice.choice([0.005, 0.1, 0.5, 0.5]))
        wanted[attempt] = (nonce, size)
        out[attempt] = exchange.start(request, deadline, attempt, sink)

    def _give_up(self, exchange, handle):
        if exchange is self._exchange and self._dice.random() < 0.5:
            exchange.withdraw(handle)  # what is sent goes on, and its completion is ignored
            exchange.cancel(handle)
        else:
            exchange.cancel(handle)

    def _check(self, completion, wanted):
        result = completion.result
        if isinstance(result, Reply):
            self.seen["reply"] += 1
            if result.body != body_of(*wanted[completion.attempt]):
                self.wrong.append(
                    (completion.attempt, wanted[completion.attempt], result.body[:80])
                )
        else:
            assert isinstance(result, BffError), result
            self.seen[type(result).__name__] += 1


def descriptors():
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


@pytest.mark.parametrize(
    "requests", [4_000, pytest.param(100_000, marks=pytest.mark.large)], ids=["quick", "long"]
)
def test_no_answer_has_a_byte_of_anothers(requests, until):
    echo = Echo()
    before = descriptors()
    services = {"s": Service("s", Place("t"), echo.url, 2.0, 8 * 1024 * 1024, renew=0.5)}
    exchange = SocketExchange(services, 48)  # fewer than are asked for at once: there is a line
    askers = [Asker(number, exchange, requests // THREADS) for number in range(THREADS)]
    threads = [threading.Thread(target=each.run) for each in askers]
    for each in threads:
        each.start()
    for each in threads:
        each.join(600)
        assert not each.is_alive()
    assert [found for each in askers for found in each.wrong] == []
    seen = sum((each.seen for each in askers), Counter())
    print(dict(seen))
    assert seen["reply"] > requests // 5
    assert seen["TimedOut"] > requests // 50
    assert seen["Unreachable"] > requests // 100
    until(lambda: exchange.usage().busy == exchange.usage().waiting == 0, "all slots to be free")
    exchange.close()
    del askers, threads
    until(lambda: descriptors() <= before + 4, "the descriptors to be closed")
    echo.close()
