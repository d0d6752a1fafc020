"""What the exchange over sockets promises beyond the contract, and where both must be the same."""

import errno
import socket
import threading
from time import monotonic

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bff.errors import TimedOut, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.service import Service
from bff.model.source import Place
from bff.upstream.exchange import DetachedMailbox, SystemClock
from bff.upstream.memory import Memory
from bff.upstream.pool import PoolExchange
from bff.upstream.sockets import event_loop, idle
from bff.upstream.sockets.exchange import SocketExchange
from bff.upstream.sockets.polled_mailbox import PollingClock

PATIENCE = 20.0
SLOW = [HealthCheck.too_slow]  # a busy machine
EVIL = b'HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"who":"attacker"}'


@pytest.fixture
def ends():
    event = threading.Event()
    yield event
    event.set()


def answering(wire):
    while head := wire.head():
        wire.reply(head.split(b" ")[1])


# -- the same bytes, the same timings -------------------------------------------------------------


@pytest.fixture(scope="module")
def both(serving):
    """What a service receives of a request from either exchange, whole."""
    received = []

    def serve(wire):
        while head := wire.head():
            length = [
                int(line[15:])
                for line in head.lower().split(b"\r\n")
                if line[:15] == b"content-length:"
            ]
            while length and len(wire.buffer) < length[0]:
                wire.buffer += wire.sock.recv(65536)
            received.append(head + b"\r\n\r\n" + wire.buffer)
            wire.buffer = b""
            wire.send(b"HTTP/1.1 204 No Content\r\n\r\n")

    url = serving(serve).url + "/base"
    made = [
        kind({"s": Service("s", Place("t"), url, 2.0, 8 * 1024 * 1024)}, 2)
        for kind in (PoolExchange, SocketExchange)
    ]
    mailbox = SystemClock().mailbox()

    def send(request):
        received.clear()
        results = []
        for exchange in made:
            exchange.start(request, Deadline(monotonic() + PATIENCE), 1, mailbox)
            results.append(mailbox.get(PATIENCE).result)
        return results, list(received)

    yield send
    for each in made:
        each.close()


TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=0x2FF), max_size=6)
HEADERS = st.lists(
    st.tuples(st.sampled_from(["accept", "x-a", "user-agent", "host", "x b", "x:", "é"]), TEXT),
    max_size=3,
)
TARGETS = st.lists(
    st.sampled_from(
        [
            "/",
            "a",
            ".",
            "..",
            "%2e",
            "%",
            "%zz",
            "?",
            "&",
            "=",
            ":",
            ";",
            "'",
            "é",
            "[",
            " ",
            "#",
            '"',
        ]
    ),
    max_size=6,
).map(lambda parts: "/" + "".join(parts))
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(METHODS, TARGETS, HEADERS, st.sampled_from([b"", b"{}", b"x" * 70_000]))
def test_a_request_is_the_same_bytes_whichever_exchange_sends_it(
    both, method, target, headers, body
):
    results, received = both(Request("s", method, target, tuple(headers), body))
    assert type(results[0]) is type(results[1]), results
    if isinstance(results[0], Reply):
        assert received[0] == received[1]
        assert len(received) == 2
    else:
        assert str(results[0]) == str(results[1])
        assert received == []


def test_the_timings_have_the_same_steps(serving, asking):
    made = asking(s=serving(answering).url, traced=True)
    made.start("/first")
    first = made.next().events.timings(0, monotonic())
    made.start("/second")
    second = made.next().events.timings(0, monotonic())
    assert first.connect is not None
    assert second.connect is None
    assert first.tls is second.tls is None
    for each in (first, second):
        assert min(each.send, each.wait, each.receive) >= 0
        assert each.blocked > 0


# -- connections ----------------------------------------------------------------------------------


def test_what_comes_late_and_unasked_is_not_the_next_reply(serving, asking, until):
    """The surplus comes after the reply was read, while its connection is idle."""
    evil = threading.Event()

    def serve(wire):
        while head := wire.head():
            wire.reply(b'{"who":"bob"}')
            if b"/evil" in head:
                wire.send(EVIL)
                evil.set()

    server = serving(serve)
    made = asking(s=server.url)
    for method in ("GET", "POST", "PUT"):
        evil.clear()
        assert isinstance(made.ask("/evil"), Reply)
        until(evil.is_set)
        for connection in made.idle(server.url):
            until(lambda each=connection: has_come(each), "the surplus to arrive")
        assert made.ask("/bob", method=method).body == b'{"who":"bob"}'


def has_come(connection):
    if hasattr(connection, "is_reusable"):
        return not connection.is_reusable()
    return connection.has_expired()


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_what_may_not_be_repeated_is_not_sent_into_a_closed_connection(
    serving, asking, until, method
):
    def serve(wire):
        wire.head()
        wire.reply(b"1")

    server = serving(serve)
    made = asking(s=server.url)
    for _ in range(3):
        assert isinstance(made.ask("/", method=method), Reply)
        for connection in made.idle(server.url):
            until(lambda each=connection: has_come(each), "the close to arrive")


def test_idle_connections_are_closed_after_a_while(serving, asking, until, monkeypatch):
    monkeypatch.setattr(idle, "KEEPALIVE", 0.1)
    monkeypatch.setattr(event_loop, "_SWEEP", 0.05)
    closed = threading.Event()

    def serve(wire):
        answering(wire)
        closed.set()

    server = serving(serve)
    made = asking(s=server.url)
    if isinstance(made.exchange, PoolExchange):
        return  # it looks with its next request
    assert isinstance(made.ask("/"), Reply)
    until(closed.is_set)
    assert not made.idle(server.url)


def test_the_connection_used_last_is_used_next(serving, asking):
    ports = []

    def serve(wire):
        while wire.head():
            ports.append(wire.sock.getpeername()[1])
            wire.reply()

    made = asking(s=serving(serve).url, size=8)
    for _ in range(5):
        made.start("/")
    for _ in range(5):
        made.next()
    del ports[:]
    for _ in range(10):
        made.ask("/")
    assert len(set(ports)) == 1


def test_addresses_are_tried_in_turn_and_a_silent_one_costs_a_share(serving, asking, monkeypatch):
    """As a name with an address that refuses, one that is silent, and one that answers."""
    server = serving(answering)
    with socket.socket() as refusing, socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        refusing.bind(("127.0.0.1", 0))
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.settimeout(0)
            each.connect_ex(silent.getsockname())
        addresses = [refusing.getsockname(), silent.getsockname(), ("127.0.0.1", server.port)]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in addresses]
        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda host, *args, **more: (
                found if host == "three.test" else real(host, *args, **more)
            ),
        )
        made = asking(s="http://three.test:80")
        began = monotonic()
        assert made.ask("/found", seconds=2).body == b"/found"
        assert monotonic() - began < 1.8
        for each in waiting:
            each.close()


def test_a_name_none_of_whose_addresses_answers_is_unreachable(asking, monkeypatch):
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", refusing.getsockname())] * 3
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        result = asking(s="http://three.test:80").ask("/")
    assert isinstance(result, Unreachable)
    assert result.before == "connect"


# -- how many at once -----------------------------------------------------------------------------


def test_who_waits_for_a_slot_is_served_first_come_first_served(serving, asking):
    seen = []

    def serve(wire):
        while head := wire.head():
            seen.append(head.split(b" ")[1])
            wire.reply()

    made = asking(s=serving(serve).url, size=1)
    for number in range(20):
        made.start(f"/{number}")
    for _ in range(20):
        assert isinstance(made.next().result, Reply)
    assert seen == [b"/%d" % number for number in range(20)]


def test_who_waits_for_a_slot_waits_no_longer_than_its_deadline(serving, asking, ends):
    made = asking(s=serving(lambda _: ends.wait()).url, size=1)
    if isinstance(made.exchange, PoolExchange):
        return  # there it is the conductor that gives up what waits
    made.start("/first")
    made.start("/second", seconds=0.1)
    second = made.next()
    assert second.attempt == 2
    assert isinstance(second.result, TimedOut)


def test_threads_that_ask_at_once_share_the_slots(serving, until):
    """The slot of one thread's request goes to another thread's, which sleeps."""
    exchange = SocketExchange({"s": Service("s", Place("t"), serving(answering).url, 2.0, 1024)}, 2)
    wrong = []

    def ask(name):
        mailbox = PollingClock().mailbox()
        for number in range(50):
            target = f"/{name}-{number}"
            exchange.start(Request("s", "GET", target), Deadline(monotonic() + 20), number, mailbox)
            completion = mailbox.get(PATIENCE)
            if completion is None or getattr(completion.result, "body", b"") != target.encode():
                wrong.append(completion)

    threads = [threading.Thread(target=ask, args=(each,)) for each in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    assert not wrong
    until(lambda: exchange.usage().busy == 0)
    exchange.close()


class Hooked:
    """A lock; what has its turn as soon as it is free has it once."""

    def __init__(self, then):
        self._lock, self._then = threading.Lock(), then

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()
        then, self._then = self._then, lambda: None
        then()


def test_the_loop_sends_nothing_while_it_is_withdrawn(serving, ends):
    seen = []

    def serve(wire):
        while head := wire.head():
            seen.append(head.split(b" ")[1])
            if seen[-1] == b"/first":
                ends.wait()
            wire.reply()

    exchange = SocketExchange({"s": Service("s", Place("t"), serving(serve).url, 2.0, 1024)}, 1)
    mailbox = PollingClock().mailbox()

    def start(target, attempt):
        request, deadline = Request("s", "POST", target), Deadline(monotonic() + PATIENCE)
        return exchange.start(request, deadline, attempt, mailbox)

    start("/before", 0)
    assert mailbox.get(PATIENCE) is not None
    (address,) = exchange._addresses.values()
    connection = address.idle.take()
    start("/first", 1)
    second = start("/second", 2)  # it waits for the slot
    second._written = address.request_bytes(second.request)
    second._lock = Hooked(lambda: second.step(lambda: second._use(connection, is_reused=True)))
    assert exchange.withdraw(second)
    ends.set()
    start("/third", 3)
    while (completion := mailbox.get(PATIENCE)).attempt != 3:
        assert completion.attempt in {1, 2}  # it may say that it was cancelled
    assert seen == [b"/before", b"/first", b"/third"]
    exchange.close()


# -- which thread reads ---------------------------------------------------------------------------


@pytest.fixture
def exchange(serving):
    made = SocketExchange({"s": Service("s", Place("t"), serving(answering).url, 2.0, 1024)}, 4)
    yield made
    made.close()


def start(exchange, mailbox, sink=None):
    return exchange.start(
        Request("s", "GET", "/x"), Deadline(monotonic() + PATIENCE), 1, sink or mailbox
    )


def test_the_thread_that_asks_reads_while_it_waits(exchange):
    mailbox = PollingClock().mailbox()
    handle = start(exchange, mailbox)
    assert handle.poller is mailbox.poller
    assert mailbox.get(PATIENCE).result.body == b"/x"
    assert len(mailbox.poller) == 0


def test_for_a_thread_that_computes_between_waits_the_loop_reads(exchange, until):
    mailbox = PollingClock().mailbox()
    start(exchange, mailbox, DetachedMailbox(mailbox))
    until(lambda: mailbox._arrived, "the reply, of which nothing was waited for")
    assert mailbox.get(0).result.body == b"/x"


def test_what_is_started_on_another_threads_stack_is_the_loops(exchange, until):
    mailbox = PollingClock().mailbox()
    thread = threading.Thread(target=start, args=(exchange, mailbox))
    thread.start()
    thread.join()
    until(lambda: mailbox._arrived, "the reply")
    assert mailbox.get(0).result.body == b"/x"


def test_a_thread_that_ends_leaves_no_descriptor(exchange, until):
    from pathlib import Path

    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        return

    def ask():
        mailbox = PollingClock().mailbox()
        start(exchange, mailbox)
        mailbox.get(PATIENCE)

    def run():
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    run()
    before = len(list(descriptors.iterdir()))
    for _ in range(20):
        run()
    until(lambda: len(list(descriptors.iterdir())) <= before, "the descriptors to be closed")


def test_an_exchange_that_is_dropped_ends_its_threads_and_connections(serving, until):
    before = set(threading.enumerate())
    closed = threading.Event()

    def serve(wire):
        answering(wire)
        closed.set()

    made = SocketExchange({"s": Service("s", Place("t"), serving(serve).url, 2.0, 1024)}, 4)
    mailbox = SystemClock().mailbox()
    start(made, mailbox)
    assert mailbox.get(PATIENCE).result.body == b"/x"
    del made
    until(closed.is_set)
    until(lambda: not [t for t in set(threading.enumerate()) - before if "bff-" in t.name])


def test_without_a_descriptor_left_a_request_fails_and_the_next_one_does_not(
    serving, asking, monkeypatch
):
    def none_left(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    made = asking(s=serving(answering).url)
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", none_left)
        failed = made.ask("/x")
    assert isinstance(failed, Unreachable)
    assert made.ask("/x").body == b"/x"


def test_without_a_descriptor_to_wake_it_a_thread_waits_in_another_way(serving, monkeypatch):
    def none_left():
        raise OSError(errno.EMFILE, "Too many open files")

    services = {"s": Service("s", Place("t"), serving(answering).url, 2.0, 1024)}
    exchange, found = SocketExchange(services, 4), []

    def ask():
        mailbox = PollingClock().mailbox()
        start(exchange, mailbox)
        found.append(mailbox.get(PATIENCE).result)

    def run():
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(PATIENCE)

    with monkeypatch.context() as patched:
        patched.setattr("bff.upstream.sockets.poller.open_wakeup", none_left)
        run()
    run()
    exchange.close()
    assert isinstance(found[0], Unreachable)
    assert found[1].body == b"/x"


def test_a_sink_that_raises_ends_no_thread(exchange, caplog, until):
    class Broken:
        def put(self, _completion):
            raise ZeroDivisionError

    start(exchange, Broken())
    until(lambda: "ZeroDivisionError" in caplog.text)
    mailbox = SystemClock().mailbox()
    start(exchange, mailbox)
    assert mailbox.get(PATIENCE).result.body == b"/x"
    assert exchange.usage().busy == 0


def test_memory_is_given_back_at_once_without_the_collector(serving):
    import gc

    memory = Memory()
    made = SocketExchange(
        {"s": Service("s", Place("t"), serving(answering).url, 2.0, 1024)}, 4, memory=memory
    )
    mailbox = PollingClock().mailbox()
    gc.disable()
    try:
        start(made, mailbox)
        completion = mailbox.get(PATIENCE)
        assert memory.taken == len(completion.result.body)
        del completion
        assert memory.taken == 0
    finally:
        gc.enable()
        made.close()
