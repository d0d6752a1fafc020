"""Cancelling: it wakes what is blocked at once, and never harms the next attempt."""

import socket
import threading
from contextlib import suppress
from time import monotonic

import pytest

from bff.model.exchange import Reply


@pytest.fixture
def ends():
    event = threading.Event()
    yield event
    event.set()


def after_the_head(wire, started, ends):
    if wire.head().startswith(b"GET /hang"):
        started.set()
        ends.wait()
    wire.reply(b'"fine"')


def within_the_headers(wire, started, ends):
    if wire.head().startswith(b"GET /hang"):
        wire.send(b"HTTP/1.1 200 OK\r\nX-A: ")
        started.set()
        ends.wait()
    wire.reply(b'"fine"')


def within_the_body(wire, started, ends):
    if wire.head().startswith(b"GET /hang"):
        wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        started.set()
        ends.wait()
    wire.reply(b'"fine"')


@pytest.mark.parametrize("serve", [after_the_head, within_the_headers, within_the_body])
def test_a_blocked_attempt_is_woken_at_once_and_the_pool_goes_on(
    serving, asking, until, ends, serve
):
    started = threading.Event()
    made = asking(s=serving(lambda wire: serve(wire, started, ends)).url, size=1)
    handle = made.start("/hang")
    until(started.is_set)
    began = monotonic()
    made.exchange.cancel(handle)
    until(lambda: made.working == 0, "the worker to be free")
    assert monotonic() - began < 0.5
    _drop_late_word_of(made, handle)
    assert made.ask("/next").body == b'"fine"'


def _drop_late_word_of(made, handle):
    """A completion may still come for what was cancelled; more than one never."""
    completion = made.poll(0.05)
    assert completion is None or completion.attempt == handle.attempt


def test_an_attempt_that_is_sending_is_woken(serving, asking, until, ends):
    made = asking(s=serving(lambda _: ends.wait()).url)
    handle = made.start("/", method="POST", body=b"x" * 32_000_000)
    until(lambda: made.is_blocked(handle), "it to block")
    made.exchange.cancel(handle)
    began = monotonic()
    until(lambda: made.working == 0, "the worker to be free")
    assert monotonic() - began < 0.5


def test_an_attempt_that_is_connecting_is_woken(asking, until):
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        pending = [socket.socket() for _ in range(4)]
        try:
            for sock in pending:
                sock.settimeout(0)
                sock.connect_ex(("127.0.0.1", port))
            made = asking(s=f"http://127.0.0.1:{port}")
            handle = made.start("/")
            until(lambda: made.is_blocked(handle), "it to block")
            made.exchange.cancel(handle)
            began = monotonic()
            until(lambda: made.working == 0, "the worker to be free")
            assert monotonic() - began < 0.5
        finally:
            for sock in pending:
                sock.close()


def test_an_attempt_that_looks_a_name_up_is_woken(asking, until, ends, monkeypatch):
    asked = threading.Event()

    def look_up(*_args, **_options):
        asked.set()
        ends.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "late")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    made = asking(s="http://users.slow:80")
    handle = made.start("/", seconds=5)
    until(asked.is_set)
    made.exchange.cancel(handle)
    began = monotonic()
    until(lambda: made.working == 0, "the worker to be free")
    assert monotonic() - began < 0.5


def test_what_waits_in_line_is_forgotten_and_never_sent(serving, asking, until, ends):
    seen, started = [], threading.Event()

    def serve(wire):
        while head := wire.head():
            seen.append(head.split(b" ")[1])
            started.set()
            ends.wait()
            wire.reply()

    made = asking(s=serving(serve).url, size=1)
    made.start("/first")
    until(started.is_set)
    waiting = [made.start(f"/waiting{number}") for number in range(3)]
    made.start("/last")
    for handle in waiting:
        made.exchange.cancel(handle)
    ends.set()
    cancelled = {handle.attempt for handle in waiting}
    attempts = []
    while {1, 5} - set(attempts):
        attempts.append(made.next().attempt)
    assert set(attempts) - cancelled == {1, 5}
    assert seen == [b"/first", b"/last"]


def test_cancelling_twice_or_after_the_end_is_harmless(serving, asking):
    def serve(wire):
        while wire.head():
            wire.reply()

    made = asking(s=serving(serve).url)
    for _ in range(20):
        handle = made.start("/")
        assert isinstance(made.next().result, Reply)
        made.exchange.cancel(handle)
        made.exchange.cancel(handle)


def test_a_cancelled_attempt_never_harms_the_next_on_the_same_connection(serving, asking):
    """Races cancellation against the end of the reply, with the next attempt close behind."""

    def serve(wire):
        while head := wire.head():
            wire.reply(head.split(b" ")[1])

    made = asking(s=serving(serve).url, size=1)
    # from far too early to far too late
    for number in range(600):
        handle = made.start(f"/cancelled{number}")
        following = made.start(f"/kept{number}")
        if number % 3:
            canceller = threading.Thread(target=made.exchange.cancel, args=(handle,))
            canceller.start()
            canceller.join()
        else:
            spin = monotonic() + (number % 100) * 0.00001
            while monotonic() < spin:
                pass
            made.exchange.cancel(handle)
        completion = made.next()
        while completion.attempt == handle.attempt:
            completion = made.next()
        assert completion.attempt == following.attempt
        result = completion.result
        assert isinstance(result, Reply), f"round {number}: {result!r}"
        assert result.body == b"/kept%d" % number


def test_every_attempt_has_at_most_one_completion_while_many_are_cancelled(serving, asking, until):
    def serve(wire):
        while wire.head():
            wire.reply()

    made = asking(s=serving(serve).url, size=4)
    kept, cancelled = set(), set()
    for number in range(400):
        handle = made.start("/")
        if number % 2:
            made.exchange.cancel(handle)
            cancelled.add(handle.attempt)
        else:
            kept.add(handle.attempt)
    until(lambda: made.working == 0, "the end of all")
    found = []
    with suppress(AttributeError):
        while completion := made.poll(0.1):
            found.append(completion.attempt)
    assert len(found) == len(set(found)), "one completion each"
    assert kept <= set(found) <= kept | cancelled
