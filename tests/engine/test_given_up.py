"""What is under way when something unforeseen is raised is given up: nothing is held for ever."""

from dataclasses import replace

import orjson
import pytest

import bff
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.python import PythonView
from bff.dev.recordings.virtual import VirtualClock
from bff.engine.conductor import conduct
from bff.engine.python_view import run_python_view
from bff.engine.runtime import Runtime, caching_of
from bff.model.exchange import Deadline, Reply
from bff.model.python import VIEW
from bff.upstream.guard import Guards
from tests.kept import Wall, memory_only
from tests.random_plans import asked
from tests.simulation import Played, SimulatedEffects, SimulatedExchange

SERVICES = {
    "s": {"url": "http://s.test"},
    "one": {"url": "http://one.test", "credentials": "session"},
    "two": {"url": "http://two.test", "credentials": "session"},
}
ROOT = {"version": 1, "frontends": {"web": {"access": "none"}}, "services": SERVICES}
WELL = Reply(200, (("content-type", "application/json"),), b"1")


class Broken(RuntimeError):
    """What nobody foresaw."""


class BreaksAtTheSecond(SimulatedEffects):
    """Effects of which the second cannot be begun."""

    def start(self, effect, deadline, attempt, mailbox):
        if self.started:
            raise Broken
        return super().start(effect, deadline, attempt, mailbox)


@bff.view(
    get="/all",
    calls={"a": {"get": "one:/a"}, "b": {"get": "two:/b"}},
)
def page(ask):
    return [ask.start("a").value, ask.start("b").value]


def checked(view, python=None):
    root = parse(orjson.dumps(ROOT).decode(), "bff.yaml", {})
    node = python.node if python else parse(orjson.dumps(view).decode(), "all.yaml", {})
    return check_config(assemble(root, {"all": node}, {}, {"all": python} if python else {}))


def test_credentials_that_were_sent_for_before_the_code_could_begin():
    made = checked(None, PythonView(page, getattr(page, VIEW)))
    clock = VirtualClock()
    effects = BreaksAtTheSecond(clock, 0.1)
    guards = Guards(made.config.services, 32, clock)
    runtime = Runtime(SimulatedExchange(clock), effects, clock, guards)
    with pytest.raises(Broken):
        run_python_view(made.plans["all"]["web"], asked(), Deadline(1.0), runtime)
    assert [each.cancelled for each in effects.started] == [0.0]


class Refreshes:
    """A background whose jobs a test runs itself."""

    def __init__(self):
        self.jobs = []

    def run(self, _key, job):
        self.jobs.append(job)


class Left:
    """Loads, and those who have left them."""

    def __init__(self, fetches):
        self._fetches, self.left = fetches, 0

    def __getattr__(self, name):
        return getattr(self._fetches, name)

    def cancel(self, handle):
        self.left += 1
        self._fetches.cancel(handle)


class BreaksDown(VirtualClock):
    """A clock whose mailboxes break, once a test says so."""

    broken = False

    def mailbox(self):
        if not self.broken:
            return super().mailbox()
        return BrokenMailbox()


class BrokenMailbox:
    def put(self, _completion):
        """Take it."""

    def get(self, _timeout):
        raise Broken


def test_a_refresh_that_breaks_waits_for_nothing_any_more():
    cached = {"get": "s:/a", "cache": {"ttl": "1s", "stale": "1m"}}
    made = checked({"get": "/all", "call": cached})
    clock, wall = BreaksDown(), Wall()
    exchange = SimulatedExchange(clock, lambda _: Played(0.01, WELL))
    effects = SimulatedEffects(clock, None)
    guards = Guards(made.config.services, 32, clock)
    caching = caching_of(memory_only(wall), effects, clock, guards)
    refreshes, fetches = Refreshes(), Left(caching.fetches)
    caching = replace(caching, background=refreshes, fetches=fetches)
    runtime = Runtime(exchange, effects, clock, guards, caching)
    for _ in range(2):
        conduct(made.plans["all"]["web"], asked(), Deadline(clock.now() + 1), runtime)
        wall.pass_by(2)
    (refresh,) = refreshes.jobs
    clock.broken = True
    with pytest.raises(Broken):
        refresh()
    assert fetches.left == 1
