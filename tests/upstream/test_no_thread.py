"""Where no thread can be started, waiters are told at once, and the next try is a new one."""

from contextlib import contextmanager
from queue import SimpleQueue
from threading import Event, Thread

import httpcore
import pytest

from bff.engine.background import Background
from bff.errors import InternalError, Unreachable
from bff.model.exchange import Deadline, Request
from bff.observe.boundary import ErrorBoundary
from bff.upstream.attempt_handle import AttemptHandle
from bff.upstream.batch_exchange import BatchExchange
from bff.upstream.effects import PoolEffects, RemoteWork
from bff.upstream.exchange import Credentials, SystemClock
from bff.upstream.resolve import Resolver
from bff.upstream.thread_pool import ThreadPool
from tests.random_plans import NOBODY

SOON = Deadline(SystemClock().now() + 1000)
WANTED = Credentials("s", NOBODY)


@pytest.fixture
def no_thread(monkeypatch):
    """Have no thread of a name be started."""

    @contextmanager
    def refused(name):
        start = Thread.start

        def refuse(thread):
            if thread.name.startswith(name):
                raise RuntimeError("can't start new thread")
            start(thread)

        with monkeypatch.context() as patched:
            patched.setattr(Thread, "start", refuse)
            yield

    return refused


def handle():
    return AttemptHandle(Request("s", "GET", "/"), SOON, 0, SimpleQueue())


def test_a_name_is_looked_up_again(no_thread):
    resolver = Resolver(1)
    with no_thread("bff-resolver"):
        for _ in range(2):
            with pytest.raises(httpcore.ConnectError, match="can't start new thread"):
                resolver.resolve("localhost", 80, handle())
    assert resolver.resolve("localhost", 80, handle())
    assert not resolver._flights
    resolver.close()


def test_who_waits_no_longer_for_a_name_is_not_remembered():
    resolver = Resolver(1)
    resolver._workers.submit = lambda _: None  # the look-up never ends
    for _ in range(3):
        late = AttemptHandle(
            Request("s", "GET", "/"), Deadline(SystemClock().now() + 0.01), 0, SimpleQueue()
        )
        with pytest.raises(httpcore.ConnectTimeout):
            resolver.resolve("a.test", 80, late)
    ((_, waiters),) = resolver._flights._flights.values()
    assert waiters == []


@pytest.mark.parametrize("name", ["bff-effects-0", "bff-effects-longer"])
def test_an_effect_is_tried_again(no_thread, name):
    effects = PoolEffects({Credentials: lambda _: RemoteWork(lambda: "token")}, 2)
    mailbox = SystemClock().mailbox()
    with no_thread(name):
        for attempt in range(2):
            effects.start(WANTED, SOON, attempt, mailbox)
            completion = mailbox.get(10)
            assert completion.attempt == attempt
            assert isinstance(completion.result, Unreachable)
    effects.start(WANTED, SOON, 7, mailbox)
    assert mailbox.get(10).result == "token"
    effects.close()


def test_a_refresh_is_begun_by_the_next_who_finds_it_stale(no_thread):
    background, done = Background(), Event()
    with no_thread("bff-refresh"):
        assert not background.run("key", done.set)
        assert not background._flights
    assert background.run("key", done.set)
    assert done.wait(10)
    background.close()


def test_what_an_effect_raises_unforeseen_is_reported_and_ends_it():
    def perform(_):
        raise ZeroDivisionError("S3CRET")

    reported = []
    effects = PoolEffects({Credentials: perform}, 2, ErrorBoundary(reported.append))
    mailbox = SystemClock().mailbox()
    effects.start(WANTED, SOON, 1, mailbox)
    result = mailbox.get(10).result
    assert isinstance(result, InternalError)
    assert "S3CRET" not in str(result)
    assert [(each.part, type(each.error)) for each in reported] == [("effect", ZeroDivisionError)]
    effects.close()


def test_an_effect_that_nobody_performs_is_no_reason_to_wait():
    effects, mailbox = PoolEffects({}, 2), SystemClock().mailbox()
    with pytest.raises(KeyError):
        effects.start(WANTED, SOON, 1, mailbox)
    assert not effects._flights


def test_what_a_refresh_raises_is_reported_and_the_next_one_runs():
    reported, done = [], Event()
    background = Background(ErrorBoundary(lambda each: (reported.append(each), done.set())), size=1)
    assert background.run("key", lambda: 1 // 0)
    assert done.wait(10)
    done.clear()
    assert background.run("other", done.set)
    assert done.wait(10)
    assert [each.part for each in reported] == ["refresh"]
    background.close()


def test_a_job_that_raises_ends_no_thread():
    workers, done = ThreadPool(1, "test"), Event()
    for _ in range(3):
        workers.submit(lambda: 1 // 0)
    workers.submit(done.set)
    assert done.wait(10)
    workers.close()


def test_a_shared_request_that_cannot_be_started_fails_for_all_and_is_started_anew():
    class Broken:
        def start(self, *_):
            raise KeyError("S3CRET")

    reported = []
    sharing = BatchExchange(Broken(), None, ErrorBoundary(reported.append))
    mailbox = SystemClock().mailbox()
    for attempt in range(2):
        sharing.start(Request("s", "GET", "/"), SOON, attempt, mailbox)
        completion = mailbox.get(10)
        assert (completion.attempt, completion.result.reason) == (attempt, "internal")
    assert len(reported) == 2
    assert not sharing._flights
