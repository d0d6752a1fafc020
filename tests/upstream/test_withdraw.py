"""Withdrawing a request: what has not been sent never is, and what has been is not cut."""

import socket
import threading
from contextlib import ExitStack, suppress
from time import monotonic

import httpx
import pytest

from bff.model.exchange import Reply
from bff.upstream.exchange import withdraw_unsent


@pytest.fixture
def ends():
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def heads():
    return []


@pytest.fixture
def silent():
    """An address at which no connection is taken: those that may wait there do already."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - it has no name in Python
            with suppress(BlockingIOError):
                waiting.connect(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_what_waits_for_a_thread_is_never_sent(serving, asking, until, heads, ends):
    def serve(wire):
        while head := wire.head():
            heads.append(head)
            ends.wait()
            wire.reply(b"1")

    made = asking(s=serving(serve).url, size=1)
    made.start("/first")
    until(lambda: heads, "the first to be served")
    waiting = made.start("/second", method="POST")
    assert withdraw_unsent(made.exchange, waiting)
    ends.set()
    assert made.next().attempt == 1
    until(lambda: made.working == 0, "the thread to be free")
    made.start("/third")
    until(lambda: made.next().attempt == 3, "what was sent after it")  # it may say `Cancelled`
    assert [head.split()[1] for head in heads] == [b"/first", b"/third"]


def test_what_waits_for_a_connection_is_never_sent(asking, until, silent):
    made = asking(s=silent)
    handle = made.start("/", method="POST")
    until(lambda: made.is_blocked(handle), "it to block")
    assert withdraw_unsent(made.exchange, handle)
    until(lambda: made.working == 0, "the thread to be free")


def test_what_has_been_sent_goes_on(serving, asking, until, heads, ends):
    def serve(wire):
        heads.append(wire.head())
        ends.wait()
        wire.reply(b'"done"')

    made = asking(s=serving(serve).url)
    handle = made.start("/", method="POST", body=b"{}")
    until(lambda: heads, "it to be served")
    assert not withdraw_unsent(made.exchange, handle)
    ends.set()
    assert made.next().result.body == b'"done"'


def test_what_was_withdrawn_just_as_it_was_sent_was_not(serving, asking, until):
    """Races withdrawing against sending: what was given up is never served, and all else is."""
    seen = set()

    def serve(wire):
        while head := wire.head():
            seen.add(head.split(b" ")[1])
            wire.reply()

    made = asking(s=serving(serve).url, size=8)
    withdrawn_ones, sent = set(), set()
    for number in range(400):
        handle = made.start(f"/{number}", method="POST")
        spin = monotonic() + (number % 40) * 0.00001
        while monotonic() < spin:
            pass
        is_withdrawn = withdraw_unsent(made.exchange, handle)
        (withdrawn_ones if is_withdrawn else sent).add(b"/%d" % number)
    until(lambda: made.working == 0, "the end of all")
    until(lambda: sent <= seen, "what was sent to be served")
    assert not withdrawn_ones & seen


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_met_a_closing_connection_is_sent_no_second_time(
    serving, asking, until, heads, ends, method
):
    def serve(wire):
        heads.append(wire.head())
        wire.reply(b"1")
        if wire.head():
            heads.append(b"met")
            ends.wait()

    made = asking(s=serving(serve).url)
    assert isinstance(made.ask("/"), Reply)
    handle = made.start("/w", method=method)
    until(lambda: b"met" in heads, "it to be sent")
    assert not withdraw_unsent(made.exchange, handle)
    ends.set()
    assert made.next().result.before == "reset"
    assert len(heads) == 2


def test_a_transport_that_is_handed_in_may_have_sent_it(asking_over):
    class Transport(httpx.BaseTransport):
        def handle_request(self, request):
            return httpx.Response(200, content=b"1", request=request)

    made = asking_over(lambda _: Transport(), s="http://s.test")
    assert not withdraw_unsent(made.exchange, made.start("/", method="POST"))
    assert isinstance(made.next().result, Reply)
