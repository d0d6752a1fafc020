"""Many who want the same at once: it is loaded once, owned by nobody, and nobody fails in step."""

from threading import Barrier, Event, Lock, Thread
from time import monotonic

import pytest

from bff.dev.stubs.stub import StubReply
from tests.kept import Wall, memory_only
from tests.redis_server import until

CALL = "get: /c\ntimeout: %s\ncall: {get: users:/of, timeout: 5s, cache: {ttl: 1h%s}}\n"
VIEW = "get: /v\ntimeout: %s\ncache: {ttl: 1h%s}\ncall: {get: users:/of, timeout: 5s}\n"
BOTH = pytest.mark.parametrize("view", [CALL, VIEW], ids=["call", "view"])


def path(view):
    return view.split("\n", maxsplit=1)[0].replace("get: ", "/web")


class Gate:
    """A service that answers when it is told to, and counts."""

    def __init__(self):
        self.open, self.asked = Event(), 0
        self.say = lambda number: StubReply.json({"n": number})
        self._lock = Lock()

    def __call__(self, _request):
        with self._lock:
            self.asked += 1
            number = self.asked
        self.open.wait(10)
        return self.say(number)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture
def shop(site, gate):
    return lambda *views, **more: site(*views, cache=memory_only(Wall()), users=gate, **more)


def crowd(place, target, count):
    """So many ask at once; their answers, once all have them."""
    answers, barrier = [], Barrier(count)

    def ask():
        barrier.wait(20)
        answers.append(place.get(target))

    threads = [Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def waiting(place):
    """How many wait for what is under way, by the one flight of calls or of the first view."""
    handler = place.app.view_functions["web.v0"]
    fetches = handler._runtime.caching.fetches
    flights = handler._cached._flights if handler._cached else fetches._flights
    return sum(len(waiters) for _, waiters in flights._flights.values())


def joined(threads):
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


@BOTH
def test_200_cold_requests_cost_one_upstream_call(shop, gate, view):
    place = shop(view % ("20s", ""))
    threads, answers = crowd(place, path(view), 200)
    until(lambda: waiting(place) == 200)
    gate.open.set()
    joined(threads)
    assert [each.json for each in answers] == [{"n": 1}] * 200
    assert gate.asked == 1


@BOTH
def test_200_requests_again_and_again_cost_one_call_each_time(shop, gate, view):
    """Between looking and joining, the one before may end: that is found, and not loaded again."""
    gate.open.set()
    place = shop(
        view % ("20s", ', tags: ["x"]'),
        "post: /w\ninvalidates: [x]\ncall: {post: other:/of}\n",
        other=lambda _: StubReply.json({}),
    )
    for turn in range(1, 6):
        threads, answers = crowd(place, path(view), 40)
        joined(threads)
        assert {each.json["n"] for each in answers} == {turn}
        assert place.get("/web/w", method="POST").status_code == 200
    assert gate.asked == 5


def test_who_has_less_time_leaves_without_hurting_the_others(shop, gate):
    """The flight has its call's own time; two views that share the call have 300 ms and 20 s."""
    place = shop(CALL % ("300ms", ""), CALL.replace("/c", "/long") % ("20s", ""))
    early, late = [], []
    first = Thread(target=lambda: early.append(place.get("/web/c")))
    first.start()  # the hasty one starts it
    until(lambda: gate.asked)
    second = Thread(target=lambda: late.append(place.get("/web/long")))
    second.start()
    joined([first])
    assert early[0].status_code == 504
    gate.open.set()
    joined([second])
    assert (late[0].status_code, late[0].json) == (200, {"n": 1})
    assert gate.asked == 1
    assert place.get("/web/c").json == {"n": 1}, "and what nobody hasty waited for is kept"


@BOTH
def test_a_flight_that_fails_does_not_make_the_crowd_fail(shop, gate, view):
    place = shop(view % ("20s", ""))
    gate.say = lambda number: (
        StubReply.problem(503, "away") if number == 1 else StubReply.json({"n": number})
    )
    threads, answers = crowd(place, path(view), 100)
    until(lambda: waiting(place) == 100)
    gate.open.set()
    joined(threads)
    statuses = sorted(each.status_code for each in answers)
    assert statuses == [200] * 99 + [502], "only the one for whom it was started"
    assert gate.asked == 2


@BOTH
def test_a_service_that_stays_away_is_asked_a_few_times_and_not_a_hundred(shop, gate, view):
    place = shop(view % ("20s", ""))

    def away(number):
        if number == 2:  # all others wait for it, too, however late they wake up
            until(lambda: waiting(place) == 99)
        return StubReply.problem(503, "away")

    gate.say = away
    threads, answers = crowd(place, path(view), 100)
    until(lambda: waiting(place) == 100)
    gate.open.set()
    joined(threads)
    assert {each.status_code for each in answers} == {502}
    assert gate.asked == 2, "who joins after the second has failed as well begins anew"


def test_a_crowd_takes_one_place_of_a_service_that_has_one(shop, gate):
    place = shop(CALL % ("20s", ""), service=", limit: 1")
    threads, answers = crowd(place, "/web/c", 50)
    until(lambda: waiting(place) == 50)
    gate.open.set()
    joined(threads)
    assert {each.status_code for each in answers} == {200}
    assert gate.asked == 1


OTHER = CALL.replace("/c", "/other").replace("/of", "/else")


@pytest.mark.parametrize(
    ("limit", "time"), [("{calls: 1, wait: 20ms}", "5s"), ("1", "300ms")], ids=["wait", "timeout"]
)
def test_a_full_service_is_waited_for_no_longer_than_was_said(shop, gate, limit, time):
    """Kept or not: who finds no place has met the limit, and holds a thread no longer."""
    place = shop(
        CALL % ("20s", ""),
        OTHER.replace("timeout: 5s", f"timeout: {time}") % ("20s", ""),
        service=f", limit: {limit}",
    )
    threads, answers = crowd(place, "/web/c", 1)
    until(lambda: gate.asked)
    begun = monotonic()
    refused = place.get("/web/other")
    assert monotonic() - begun < 2
    assert (refused.status_code, refused.json["reason"]) == (503, "limit")
    gate.open.set()
    joined(threads)
    assert answers[0].status_code == 200
    again = place.get("/web/other")
    assert (again.status_code, again.json) == (200, {"n": 2})
    assert gate.asked == 2, "what met the limit was not sent behind the answer"


def test_a_crowd_that_finds_no_place_is_told_so(shop, gate):
    place = shop(CALL % ("20s", ""), OTHER % ("20s", ""), service=", limit: {calls: 1, wait: 20ms}")
    first, _ = crowd(place, "/web/c", 1)
    until(lambda: gate.asked)
    threads, answers = crowd(place, "/web/other", 20)
    joined(threads)
    assert {(each.status_code, each.json["reason"]) for each in answers} == {(503, "limit")}
    gate.open.set()
    joined(first)
    assert gate.asked == 1


def test_a_failed_flight_counts_once_for_the_breaker(shop, gate):
    """Of five failures in the window one is too few; counted for each waiter, it were enough."""
    place = shop(CALL % ("20s", ""), service=", breaker: {failures: 50%, of: 5, open: 10s}")
    gate.say = lambda number: (
        StubReply.problem(503, "away") if number == 1 else StubReply.json({"n": number})
    )
    threads, answers = crowd(place, "/web/c", 60)
    until(lambda: waiting(place) == 60)
    gate.open.set()
    joined(threads)
    assert [each.status_code for each in answers].count(200) == 59
    assert place.get("/web/c").status_code == 200


def test_waiting_costs_no_more_than_loading(shop, gate):
    gate.open.set()
    place = shop(VIEW % ("20s", ""))
    begun = monotonic()
    threads, answers = crowd(place, "/web/v", 100)
    joined(threads)
    assert len(answers) == 100
    assert monotonic() - begun < 10
