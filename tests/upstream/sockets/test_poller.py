"""The poller and its mailbox: no wake-up is lost, and no event reaches another's socket."""

import socket
import threading
from time import monotonic

import pytest

from bff.upstream.exchange import Completion
from bff.upstream.sockets.polled_mailbox import PolledMailbox, PollingClock
from bff.upstream.sockets.poller import READ, Poller
from bff.upstream.sockets.wakeup import EventWakeup, PairWakeup


class Watched:
    """Notes when it is served."""

    def __init__(self, ready=lambda: None, due=float("inf")):
        self.due, self._ready, self.served, self.expired = due, ready, 0, 0

    def ready(self):
        self.served += 1
        self._ready()

    def expire(self, _now):
        self.expired += 1
        self.due = float("inf")


class Interrupted:
    """A poll object that has something happen just before its thread sleeps."""

    def __init__(self, poll, meanwhile):
        self._poll, self._meanwhile = poll, meanwhile

    def poll(self, timeout):
        thread = threading.Thread(target=self._meanwhile)
        thread.start()
        thread.join()
        return self._poll.poll(timeout)

    def __getattr__(self, name):
        return getattr(self._poll, name)


@pytest.fixture(params=[EventWakeup, PairWakeup])
def wakeup(request, monkeypatch):
    """Either way to wake a thread."""
    monkeypatch.setattr("bff.upstream.sockets.poller.open_wakeup", request.param)
    return request.param


@pytest.fixture
def poller(wakeup):
    del wakeup
    return Poller()


def test_what_is_put_between_the_last_look_and_the_sleep_wakes(poller):
    mailbox = PolledMailbox()
    mailbox.poller = poller
    wanted = Completion(1, "late")
    poller._poll = Interrupted(poller._poll, lambda: mailbox.put(wanted))
    began = monotonic()
    assert mailbox.get(20) is wanted
    assert monotonic() - began < 10


def test_a_job_that_is_posted_between_the_last_look_and_the_sleep_wakes(poller):
    done = []
    poller._poll = Interrupted(poller._poll, lambda: poller.post(lambda: done.append(1)))
    began = monotonic()
    poller.run_once(20)
    assert done == [1]
    assert monotonic() - began < 10


def test_no_wake_up_is_lost_however_the_threads_meet():
    """Two threads pass a completion to and fro: a lost one would be waited for in vain."""
    rounds, boxes, made = 5000, [], threading.Barrier(2)
    slow = []

    def play(mine):
        boxes.append((mine, PollingClock().mailbox()))
        made.wait()
        own, other = dict(boxes)[mine], dict(boxes)[1 - mine]
        if mine == 0:
            other.put(Completion(0, None))
        for number in range(rounds):
            began = monotonic()
            completion = own.get(20)
            if completion is None or monotonic() - began > 15:
                slow.append(number)
                return
            other.put(Completion(completion.attempt + 1, None))

    threads = [threading.Thread(target=play, args=(each,)) for each in (0, 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(120)
    assert not slow


def test_many_threads_put_and_none_is_lost():
    mailbox, each, threads = PollingClock().mailbox(), 500, 8

    def put(first):
        for number in range(each):
            mailbox.put(Completion(first + number, None))

    putting = [threading.Thread(target=put, args=(at * each,)) for at in range(threads)]
    for thread in putting:
        thread.start()
    found = [mailbox.get(20).attempt for _ in range(each * threads)]
    for thread in putting:
        thread.join()
    assert sorted(found) == list(range(each * threads))
    assert mailbox.get(0) is None


def test_nothing_comes_until_its_time_is_over():
    mailbox, began = PollingClock().mailbox(), monotonic()
    assert mailbox.get(0.1) is None
    assert 0.09 < monotonic() - began < 5


def test_it_is_waited_in_by_the_thread_that_made_it():
    found = []
    thread = threading.Thread(target=lambda: found.append(PollingClock().mailbox()))
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError):
        found[0].get(0)


def test_an_event_of_a_closed_descriptor_never_reaches_who_has_its_number_now(poller):
    """Two sockets are ready at once; serving one closes the other, and opens a third."""
    pairs = [socket.socketpair() for _ in range(2)]
    opened = []

    def close_the_other(mine, other):
        def ready():
            number = other.fileno()
            poller.unregister(number)
            other.close()
            opened.extend(socket.socketpair())
            assert opened[0].fileno() == number, "the test needs the same number again"
            poller.register(number, third, READ)
            poller.unregister(mine.fileno())

        return ready

    third = Watched()
    (first, _), (second, _) = pairs
    watched = [Watched(close_the_other(first, second)), Watched(close_the_other(second, first))]
    for sock, each in zip((first, second), watched, strict=True):
        poller.register(sock.fileno(), each, READ)
    for _, writer in pairs:
        writer.send(b"x")
    poller.run_once(1)
    assert sorted(each.served for each in watched) == [0, 1], "one was closed before its turn"
    assert third.served == 0
    poller.run_once(0)
    assert third.served == 0
    opened[1].send(b"x")
    poller.run_once(1)
    assert third.served == 1
    for each in (*opened, *(sock for pair in pairs for sock in pair)):
        each.close()


def test_what_is_ready_is_served_before_what_is_due_is_over(poller):
    """A reply that came in time lies in the kernel's buffer when its time is over."""
    order = []
    left, right = socket.socketpair()

    def read():
        order.append("read")
        left.recv(10)

    watched = Watched(read, due=monotonic() - 1)
    watched.expire = lambda _now: order.append("expired") or setattr(watched, "due", 1e18)
    poller.add(watched)
    poller.register(left.fileno(), watched, READ)
    right.send(b"x")
    poller.run_once(5)
    assert order == ["read", "expired"]
    left.close()
    right.close()


def test_a_moment_is_kept_while_nothing_comes(poller):
    watched = Watched(due=monotonic() + 0.05)
    poller.add(watched)
    began = monotonic()
    while not watched.expired:
        poller.run_once(20)
    assert 0.04 < monotonic() - began < 5


def test_what_a_job_raises_ends_nothing(poller, caplog):
    done = []
    poller.post(lambda: 1 // 0)
    poller.post(lambda: done.append(1))
    poller.run_once(0)
    assert done == [1]
    assert "ZeroDivisionError" in caplog.text


def test_a_wake_up_can_be_set_often_and_is_cleared_at_once(wakeup):
    wakeup = wakeup()
    for _ in range(100_000 if isinstance(wakeup, PairWakeup) else 10):
        wakeup.set()
    wakeup.clear()
    wakeup.clear()
    wakeup.close()


def test_a_descriptor_that_nothing_watches_does_not_keep_it_awake(poller):
    left, right = socket.socketpair()
    poller._poll.register(left.fileno(), READ)
    right.send(b"x")
    poller.run_once(20)
    began = monotonic()
    poller.run_once(0.05)
    assert monotonic() - began > 0.04
    left.close()
    right.close()
