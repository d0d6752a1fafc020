"""What several conductors want at once is sent once; nobody's short time becomes everybody's."""

from dataclasses import replace
from queue import SimpleQueue

from bff.errors import TimedOut, Unreachable
from bff.model.exchange import Deadline, Reply, Request
from bff.model.policy import Break
from bff.model.service import Service
from bff.model.source import Place
from bff.observe.events import Attempted
from bff.upstream.batch_exchange import BatchExchange
from bff.upstream.exchange import Completion, SystemClock
from bff.upstream.guard import Guard

GOOD, BAD = Reply(200, (), b"x"), Reply(500, (), b"")


class Scripted:
    """Starts nothing: a test says when and how each request ends."""

    def __init__(self):
        self.started, self.cancelled = [], []

    def start(self, request, deadline, _attempt, mailbox):
        self.started.append((request, deadline.at, mailbox))
        return len(self.started) - 1

    def cancel(self, handle):
        self.cancelled.append(handle)

    def end(self, index, result):
        self.started[index][2].put(Completion(0, result))


def begin(sharing, at=1.0, **changes):
    mailbox = SimpleQueue()
    asked = {"service": "s", "method": "GET", "target": "/x"} | changes
    return mailbox, sharing.start(Request(**asked), Deadline(at), 7, mailbox)


def came(mailbox):
    found = []
    while not mailbox.empty():
        found.append(mailbox.get())
    return [(each.attempt, each.result) for each in found]


def test_the_same_request_is_sent_once_and_brings_all_the_same():
    inner = Scripted()
    sharing = BatchExchange(inner)
    one, other = begin(sharing)[0], begin(sharing)[0]
    inner.end(0, GOOD)
    later = begin(sharing)[0]
    assert came(one) == came(other) == came(later) == [(7, GOOD)]
    assert len(inner.started) == 1


def test_a_search_that_changes_nothing_is_shared_by_its_body():
    inner = Scripted()
    sharing = BatchExchange(inner)
    for body in (b"a", b"a", b"b"):
        begin(sharing, method="POST", body=body)
    assert [each[0].body for each in inner.started] == [b"a", b"b"]


def test_two_people_share_nothing():
    inner = Scripted()
    sharing = BatchExchange(inner)
    for who in ("ada", "bob"):
        begin(sharing, headers=(("authorization", f"Bearer {who}"),))
    assert len(inner.started) == 2


def test_how_long_a_request_has_makes_no_other_of_it():
    inner = Scripted()
    sharing = BatchExchange(inner, {"s": "x-left"})
    for left in ("100", "99"):
        begin(sharing, headers=(("x-left", left), ("x-own", "a")))
        begin(sharing, headers=(("x-left", left), ("x-own", "a")), service="other")
    assert [each[0].service for each in inner.started] == ["s", "other", "other"]


def test_what_failed_is_told_to_all_and_then_forgotten():
    inner = Scripted()
    sharing = BatchExchange(inner)
    for at, result in enumerate((BAD, Unreachable("gone"))):
        one, other = begin(sharing)[0], begin(sharing)[0]
        inner.end(at, result)
        assert came(one) == came(other) == [(7, result)]
    assert len(inner.started) == 2


def test_who_has_more_time_is_not_late_because_the_first_is():
    inner = Scripted()
    sharing = BatchExchange(inner)
    short, long, longest = (begin(sharing, at)[0] for at in (1.0, 2.0, 3.0))
    late = TimedOut("no reply in time")
    inner.end(0, late)
    assert came(short) == [(7, late)]
    assert (came(long), came(longest)) == ([], [])
    assert [at for _, at, _ in inner.started] == [1.0, 3.0]
    inner.end(1, GOOD)
    assert came(long) == came(longest) == [(7, GOOD)]


def test_a_moment_more_is_no_time_for_another_try():
    inner = Scripted()
    sharing = BatchExchange(inner)
    boxes = [begin(sharing, at)[0] for at in (1.0, 1.01)]
    late = TimedOut("no reply in time")
    inner.end(0, late)
    assert [came(each) for each in boxes] == [[(7, late)]] * 2
    assert len(inner.started) == 1


def test_a_request_is_given_up_when_nobody_waits():
    inner = Scripted()
    sharing = BatchExchange(inner)
    _, one = begin(sharing)
    _, other = begin(sharing)
    sharing.cancel(one)
    assert not inner.cancelled
    sharing.cancel(other)
    assert inner.cancelled == [0]
    begin(sharing)
    assert len(inner.started) == 2


def test_what_is_sent_once_counts_once_and_for_the_address_that_was_asked():
    urls, heard = ("http://a", "http://b"), []
    service = Service("s", Place("x"), urls[0], 1.0, 1, others=urls[1:], breaker=Break())
    guard = Guard(service, 50, SystemClock(), heard.append)
    inner, mailbox = Scripted(), SimpleQueue()
    sharing = BatchExchange(inner)
    for attempt in range(40):
        permit = guard.admit()
        request = permit.record_request(Request("s", "GET", "/x"))
        asked = replace(request, url=permit.url)
        sharing.start(asked, Deadline(1.0), attempt, permit.forward_to(mailbox))
    assert guard.snapshot().in_flight == 1
    inner.end(0, Unreachable("refused"))
    assert len(came(mailbox)) == 40
    assert guard.snapshot().in_flight == 0
    assert [each["state"] for each in guard.snapshot().addresses.values()] == ["closed", "closed"]
    assert [type(each) for each in heard] == [Attempted]
