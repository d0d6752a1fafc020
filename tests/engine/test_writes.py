"""What becomes of a write when its view fails: one that was sent is awaited, no other is sent."""

import orjson
import pytest

from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.dev.recordings.virtual import VirtualClock
from bff.engine.answer import Failure
from bff.engine.attempts import VIEW
from bff.engine.conductor import Run
from bff.engine.runtime import Runtime
from bff.errors import GrantEnded, Unreachable
from bff.model.exchange import Deadline, Reply
from bff.upstream.guard import Guards
from tests.random_plans import asked
from tests.simulation import Played, SimulatedEffects, SimulatedExchange

JSON = (("content-type", "application/json"),)
WELL, BUSY = Reply(200, JSON, b"1"), Reply(503, (), b"")
SERVICES = {
    "s": {
        "url": "http://s.test",
        "timeout": "800ms",
        "limit": 1,
        "retry": {"retries": 2, "first": "100ms", "on": [503, "reset"]},
    },
    "mine": {"url": "http://mine.test", "timeout": "800ms", "credentials": "session"},
    "moving": {
        "url": "http://moving.test",
        "redirects": "follow",
        "links": {"under": "/"},
        "limit": 1,
    },
}
# the view fails when the grant of this optional read has ended
READ = {"get": "mine:/read", "optional": True}


class Ran:
    """A run of a view whose grant ends after 150 ms."""

    def __init__(self, calls, script, effects=None, fails_at=None):
        root = {"version": 1, "frontends": {"web": {"access": "none"}}, "services": SERVICES}
        view = {"post": "/all", "timeout": "1s", "calls": {"read": READ, **calls}}
        view["shape"] = {name: name for name in view["calls"]}
        nodes = [parse(orjson.dumps(each).decode(), "made.yaml", {}) for each in (root, view)]
        checked = check_config(assemble(nodes[0], {"all": nodes[1]}, {}))
        self.clock = VirtualClock()
        self.exchange = SimulatedExchange(self.clock, script)
        self.guards = Guards(checked.config.services, 32, self.clock, dice=lambda: 1.0)
        effects = effects or SimulatedEffects(self.clock, 0.15, _ended)
        effects._clock = self.clock
        runtime = Runtime(self.exchange, effects, self.clock, self.guards)
        mailbox = self.clock.mailbox()
        self.run = Run(checked.plans["all"]["web"], asked(), Deadline(1.0), runtime, mailbox)
        if fails_at:
            refused = Failure(409, "Not now")
            self.run._attempts.wake(fails_at, VIEW, lambda _: self.run.fail(refused))
        self.run.begin()
        self.run.attend(lambda: self.run.done)
        self.answer = self.run.answer()
        places = [
            (each.in_flight, each.waiting, each.extra) for each in self.guards.snapshot().values()
        ]
        assert places == [(0, 0, 0)] * len(SERVICES)

    @property
    def sent(self):
        """What was sent when, and when it was cut, in milliseconds."""
        return [
            (
                each.what.target,
                round(each.at * 1000),
                each.cancelled and round(each.cancelled * 1000),
            )
            for each in self.exchange.started
        ]

    @property
    def write(self):
        """The write's outcome."""
        found = self.answer.outcomes["write"]
        return found.kind, found.reason, found.status, found.failed, found.of


def _ended(_effect):
    raise GrantEnded("the session is over")


def played(*results):
    """The n-th request started gets the n-th result: milliseconds, and what then comes."""
    left = list(results)

    def script(_request):
        after, result = left.pop(0)
        return None if result is None else Played(after / 1000, result)

    return script


PUT = {"put": "s:/w", "json": {}}


def test_a_write_on_the_wire_is_awaited_and_told():
    ran = Ran({"write": {"post": "s:/w"}}, played((500, WELL)))
    assert ran.answer.failure.status == 401
    assert ran.write == ("ok", "", None, 0, 0)
    assert (ran.sent, ran.clock.now()) == ([("/w", 0, None)], pytest.approx(0.5))


def test_it_is_awaited_no_longer_than_its_time():
    ran = Ran({"write": {"post": "s:/w"}}, played((0, None)))
    assert ran.write == ("failed", "timeout", None, 0, 0)
    assert ran.sent == [("/w", 0, 800)]


def test_a_write_that_fails_after_its_view_does_not_change_the_failure():
    ran = Ran({"write": {"post": "s:/w"}}, played((500, Reply(409, (), b""))))
    assert ran.write == ("failed", "status", 409, 0, 0)
    assert ran.answer.failure.status == 401


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (BUSY, ("failed", "status", 503, 0, 0)),
        (Unreachable("closed", "reset"), ("failed", "unreachable", None, 0, 0)),
    ],
)
@pytest.mark.parametrize("after", [100, 300])  # the view fails at 150
def test_it_is_not_tried_again_and_its_end_is_the_last_one(first, told, after):
    ran = Ran({"write": PUT}, played((after, first)))
    assert ran.write == told
    assert ran.sent == [("/w", 0, None)]


def test_what_follows_a_write_is_not_sent():
    ran = Ran({"write": {"post": "s:/w"}, "more": {"post": "s:/m"}}, played((300, WELL)))
    assert ran.write == ("ok", "", None, 0, 0)
    assert ran.answer.outcomes["more"].reason == "cancelled"
    assert ran.sent == [("/w", 0, None)]


def test_of_several_requests_those_that_wait_for_a_place_are_not_sent():
    each = {"each": "[`1`, `2`, `3`]", "post": "s:/w/{item}"}
    ran = Ran({"write": each}, played((100, WELL), (100, WELL)))
    assert ran.write == ("failed", "cancelled", None, 1, 3)
    assert ran.sent == [("/w/1", 0, None), ("/w/2", 100, None)]


def test_of_an_optional_one_the_rest_is_told_too():
    each = {"each": "[`1`, `2`]", "post": "s:/w/{item}", "optional": True}
    ran = Ran({"write": each}, played((300, WELL)))
    assert ran.write == ("failed", "cancelled", None, 1, 2)


def test_a_write_that_waits_for_a_place_is_not_sent():
    calls = {"hold": {"get": "s:/hold", "optional": True}, "write": {"post": "s:/w"}}
    ran = Ran(calls, played((500, WELL)))
    assert ran.write == ("failed", "cancelled", None, 0, 0)
    assert ran.sent == [("/hold", 0, 150)]


@pytest.mark.parametrize("status", [302, 303, 307])
def test_a_redirect_after_the_failure_is_not_followed(status):
    moved = Reply(status, (("location", "/elsewhere"),), b"")
    ran = Ran({"write": {"post": "moving:/w"}}, played((300, moved)))
    assert ran.write == ("failed", "status", status, 0, 0)
    assert ran.sent == [("/w", 0, None)]


class Tokens(SimulatedEffects):
    """The first credentials at once, and what comes for those that were rejected after a while."""

    def __init__(self, renewed=None, after=0.0):
        super().__init__(VirtualClock(), 0.0)
        self._renewed, self._after = renewed, after

    def start(self, effect, deadline, attempt, mailbox):
        self._latency = self._after if effect.rejected else 0.0
        if effect.rejected and self._renewed is None:
            self._latency = None
        self._perform = self._given
        return super().start(effect, deadline, attempt, mailbox)

    def _given(self, effect):
        if not effect.rejected:
            return (("authorization", "old"),)
        if isinstance(self._renewed, Exception):
            raise self._renewed
        return self._renewed


REJECTED = Reply(401, (), b"")


def test_a_write_whose_grant_ends_is_told_as_rejected():
    ran = Ran(
        {"write": {"post": "mine:/w"}, "read": {"get": "s:/r", "optional": True}},
        played((10, WELL), (10, REJECTED)),
        Tokens(GrantEnded("over"), 0.1),
    )
    assert ran.answer.failure.status == 401
    assert ran.write == ("failed", "status", 401, 0, 0)
    assert [target for target, *_ in ran.sent] == ["/r", "/w"]


def test_a_write_that_waits_for_new_credentials_is_not_sent_again():
    tokens = Tokens((("authorization", "new"),), 0.3)
    calls = {"write": {"post": "mine:/w"}, "read": {"get": "s:/r", "optional": True}}
    ran = Ran(calls, played((10, WELL), (10, REJECTED)), tokens, fails_at=0.15)
    assert ran.write == ("failed", "status", 401, 0, 0)
    assert ran.clock.now() == pytest.approx(0.15)


def test_a_renewal_that_a_call_has_no_time_for_fails_that_call_alone():
    calls = {
        "read": {"get": "mine:/short", "timeout": "100ms", "optional": True},
        "late": {"get": "mine:/late", "after": "read"},
    }
    ran = Ran(calls, played((10, REJECTED), (10, WELL)), Tokens())
    told = {name: (each.kind, each.reason) for name, each in ran.answer.outcomes.items()}
    assert told == {"read": ("failed", "timeout"), "late": ("ok", "")}
    assert dict(ran.exchange.started[1].what.headers)["authorization"] == "old"
