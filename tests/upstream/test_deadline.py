"""The total time of an attempt is kept, whatever the service, its name or its TLS does."""

import socket
import threading
from time import monotonic

import pytest

from bff.errors import TimedOut, Unreachable
from bff.model.exchange import Deadline, Reply, Request

PATIENCE = 20.0
SHORT = 0.25
SLACK = 0.35  # a shared machine may be busy; what is guarded against takes for ever


@pytest.fixture
def ends():
    """Released when the test is over, so that no server outlives it."""
    event = threading.Event()
    yield event
    event.set()


def dribbled_headers(wire, ends):
    wire.head()
    wire.send(b"HTTP/1.1 200 OK\r\nX-Dribble: ")
    while not ends.wait(0.02):
        wire.send(b"a")


def dribbled_body(wire, ends):
    wire.head()
    wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not ends.wait(0.02):
        wire.send(b" ")


def dribbled_chunks(wire, ends):
    wire.head()
    wire.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not ends.wait(0.02):
        wire.send(b"1\r\n \r\n")


def endless_informational_replies(wire, ends):
    wire.head()
    while not ends.wait(0.02):
        wire.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")


def silence(wire, ends):
    wire.head()
    ends.wait()


def no_reading(wire, ends):
    del wire
    ends.wait()


def slow_reading(wire, ends):
    while not ends.wait(0.02):
        wire.sock.recv(1000)


@pytest.mark.parametrize(
    ("serve", "body"),
    [
        (dribbled_headers, b""),
        (dribbled_body, b""),
        (dribbled_chunks, b""),
        (endless_informational_replies, b""),
        (silence, b""),
        (no_reading, b"x" * 32_000_000),
        (slow_reading, b"x" * 32_000_000),
    ],
)
def test_the_total_is_kept(serving, asking, ends, serve, body):
    server = serving(lambda wire: serve(wire, ends))
    made = asking(s=server.url)
    began = monotonic()
    result = made.ask("/", seconds=SHORT, method="POST" if body else "GET", body=body)
    took = monotonic() - began
    assert isinstance(result, TimedOut)
    assert SHORT - 0.02 <= took < SHORT + SLACK


def test_a_tls_handshake_that_hangs_is_given_up(serving, asking, ends):
    made = asking(s=serving(lambda _: ends.wait()).url.replace("http:", "https:"))
    began = monotonic()
    assert isinstance(made.ask("/", seconds=SHORT), TimedOut)
    assert monotonic() - began < SHORT + SLACK


def test_a_tls_handshake_that_is_dribbled_is_given_up(serving, asking, ends):
    def serve(wire):
        wire.sock.recv(10)
        wire.send(b"\x16\x03\x03\x40\x00")  # the head of a long handshake record
        while not ends.wait(0.02):
            wire.send(b"\0")

    made = asking(s=serving(serve).url.replace("http:", "https:"))
    began = monotonic()
    assert isinstance(made.ask("/", seconds=SHORT), TimedOut)
    assert monotonic() - began < SHORT + SLACK


def test_a_connect_that_nobody_answers_is_given_up(asking):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        pending = [socket.socket() for _ in range(4)]
        try:
            for sock in pending:  # the queue of the kernel is full: further SYNs are dropped
                sock.settimeout(0)
                sock.connect_ex(("127.0.0.1", port))
            made = asking(s=f"http://127.0.0.1:{port}")
            began = monotonic()
            assert isinstance(made.ask("/", seconds=SHORT), TimedOut)
            assert monotonic() - began < SHORT + SLACK
        finally:
            for sock in pending:
                sock.close()


def test_what_is_late_already_is_not_sent(serving, asking):
    seen = []

    def serve(wire):
        seen.append(wire.head())
        wire.reply()

    made = asking(s=serving(serve).url)
    assert isinstance(made.ask("/", seconds=-1), TimedOut)
    assert made.ask("/b").status == 200
    assert [head.split(b" ")[1] for head in seen] == [b"/b"]


def test_what_waits_in_line_past_its_deadline_is_not_sent(serving, asking, ends):
    seen = []

    def serve(wire):
        seen.append(wire.head().split(b" ")[1])
        ends.wait(SHORT)
        wire.reply()

    made = asking(s=serving(serve).url, size=1)
    made.start("/first")
    made.start("/late", seconds=0.01)
    results = {made.next().attempt: None for _ in range(2)}
    assert set(results) == {1, 2}
    assert seen == [b"/first"]


@pytest.fixture
def slow_names(monkeypatch, ends):
    """Look-ups of `*.slow` hang; of `*.fast` find this machine."""
    real = socket.getaddrinfo

    def look_up(host, port, *args, **options):
        if str(host).endswith(".slow"):
            ends.wait()
            raise socket.gaierror(socket.EAI_AGAIN, "late")
        if str(host).endswith(".fast"):
            return real("127.0.0.1", port, *args, **options)
        return real(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.usefixtures("slow_names")
def test_a_slow_look_up_does_not_hold_the_deadline(asking):
    made = asking(s="http://users.slow:80")
    began = monotonic()
    assert isinstance(made.ask("/", seconds=SHORT), TimedOut)
    assert monotonic() - began < SHORT + SLACK


@pytest.mark.usefixtures("slow_names")
def test_other_names_are_still_found_while_one_look_up_hangs(serving, asking):
    closing = [b"Connection: close"]  # so that each request has a name to look up
    server = serving(lambda wire: wire.head() and wire.reply(headers=closing))
    made = asking(slow="http://users.slow:80", fast=f"http://orders.fast:{server.port}", size=8)
    for _ in range(4):  # as many as its service's share of the pool lets out at once
        made.start("/", service="slow", seconds=PATIENCE)
    began = monotonic()
    for _ in range(4):
        assert isinstance(made.ask("/", service="fast", seconds=1), Reply)
    assert monotonic() - began < 1


@pytest.mark.parametrize("host", ["users..internal", "a" * 64 + ".internal", "xn--a.internal."])
def test_a_name_that_cannot_be_looked_up_costs_no_time_and_no_thread(asking, host):
    made = asking(s=f"http://{host}:80", t="http://localhost:1")
    for _ in range(6):  # more than there are threads for look-ups
        began = monotonic()
        assert isinstance(made.ask("/", seconds=2), Unreachable)
        assert monotonic() - began < 1.5
    assert isinstance(made.ask("/", service="t", seconds=2), Unreachable)


def test_nothing_is_sent_to_a_service_that_is_not_declared(asking):
    made = asking(s="http://127.0.0.1:1")
    request = Request("other", "GET", "/")
    with pytest.raises(KeyError):
        made.exchange.start(request, Deadline(monotonic() + 1), 1, made.mailbox)
