"""Many requests at once over several processes of gunicorn, with stores and sockets that are real.

The provider is scripted: it counts what it is asked, and its tokens say whose they are.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPException
from itertools import chain
from random import Random
from threading import Barrier, Event
from time import monotonic, sleep
from urllib.parse import parse_qs

import pytest

from bff.dev.stubs.stub import StubReply, StubRequest, StubServices
from tests.e2e.browser import until
from tests.e2e.providers.rotating import RotatingProvider, SignIn, listening
from tests.e2e.serving import Answer, Line, Served, served
from tests.store.redis_server import RedisServer

WORKERS = 4
AT_ONCE = 64
AHEAD = 25  # sessions that are begun before the first of them ends
YOUNG = 1.25  # seconds for which a token of six is too new to be refreshed for being refused
USED = 1.05  # seconds after which a session is written for being used: a twentieth of `idle`
LEAVES_WITHIN = 0.03  # seconds after the others have asked
LOCK = 5.0  # seconds for which a lock lasts that nobody renews
CONFIG = """
frontends: {{web: {{access: session}}}}
session: {{secrets: ["${{SESSION_SECRET}}"], store: "{store}", idle: 20s}}
providers:
  main: {{issuer: "{issuer}", client_id: the-client, client_secret: "${{CLIENT_SECRET}}"}}
services: {{users: {{url: "{users}", timeout: 10s, credentials: session}}}}
"""
ME = """
get: /me
timeout: 15s
call: {get: "users:/me", query: {who: "{session.sub}"}}
"""


class Users:
    """A service that says who was meant, and with which token.

    It refuses tokens that begin with `refused`, until they are refreshed.
    """

    def __init__(self) -> None:
        self.refused, self.refusals = "", 0

    def __call__(self, request: StubRequest) -> StubReply:
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        if self.refused and token.startswith(self.refused) and token.endswith(":0"):
            self.refusals += 1
            return StubReply.problem(401, "Not any more")
        return StubReply.json({"who": parse_qs(request.query)["who"][0], "token": token})


@dataclass(frozen=True)
class Site:
    app: Served
    provider: RotatingProvider
    users: Users

    def sign_in(self, who: str = "ada", lasts: int = 0) -> str:
        """Begin a session; its id.

        Args:
            lasts: seconds that its access token does; it has come to its end if not said.
        """
        self.provider.who, self.provider.first = who, lasts
        with self.app.visitor() as visitor:
            assert visitor.go("/auth/login?return_to=/livez").status_code == 200
            return visitor.session

    def begin(self) -> tuple[int, str, float]:
        """A session: its number at the provider, its id, and when it was begun."""
        return len(self.provider.sign_ins), self.sign_in(), monotonic()

    def revoked(self, number: int) -> SignIn:
        """A sign-in, once nobody can use a token of it any more."""
        sign_in = self.provider.sign_ins[number]
        until(lambda: not sign_in.alive, "its tokens are revoked")
        return sign_in


@pytest.fixture(scope="module", params=["sqlite", "redis"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("races")
    with ExitStack() as stack:
        store = f"sqlite:{folder}/sessions.db"
        if request.param == "redis":
            redis = RedisServer(folder)
            stack.callback(redis.stop)
            store = redis.url
        users = Users()
        provider = stack.enter_context(listening(RotatingProvider()))
        stubs = stack.enter_context(StubServices({"users": users}))
        config = CONFIG.format(store=store, issuer=provider.issuer, users=stubs.urls["users"])
        app = stack.enter_context(served(folder / "app", config, {"me": ME}, WORKERS))
        yield Site(app, provider, users)


@pytest.fixture
def site(running: Site) -> Site:
    """Nothing was refreshed yet, and everything goes well."""
    running.provider.refreshes.clear()
    running.provider.think, running.users.refused = 0.0, ""
    return running


def at_once(*tasks: Callable[[], Answer]) -> list[Answer]:
    """What all of them come to, each begun when all are ready to."""
    gate = Barrier(len(tasks))

    def run(task: Callable[[], Answer]) -> Answer:
        gate.wait(20)
        return task()

    with ThreadPoolExecutor(len(tasks)) as threads:
        return list(threads.map(run, tasks))


def sleep_until(moment: float) -> None:
    """Let something get old: processes of the app have the machine's clock."""
    sleep(max(0.0, moment - monotonic()))


def asking(line: Line, session: str) -> Callable[[], Answer]:
    return lambda: line.ask("/web/me", session)


def leaving(line: Line, session: str, after: float) -> Callable[[], Answer]:
    def leave() -> Answer:
        sleep(after)  # somewhere in the race, which is what the test is about
        return line.ask("/auth/logout", session, "POST")

    return leave


def test_requests_at_once_in_all_processes_refresh_a_token_once(site: Site) -> None:
    with site.app.lines(AT_ONCE // WORKERS) as lines:
        session = site.sign_in()
        site.provider.think = 0.3
        answers = at_once(*(asking(line, session) for line in chain(*lines.values())))
    assert len(answers) == AT_ONCE
    assert len({answer.worker for answer in answers}) == WORKERS
    assert {answer.status for answer in answers} == {200}
    assert len(site.provider.refreshes) == 1
    (token,) = {answer.json["token"] for answer in answers}
    assert token.startswith("access:ada:")
    assert token.endswith(":1")


def test_two_people_at_once_each_get_their_own_tokens(site: Site) -> None:
    """While the one's token is stale, and the other's refused: each is refreshed, and once."""
    people = [("ada", "grace")[at % 2] for at in range(AT_ONCE)]
    with site.app.lines(AT_ONCE // WORKERS) as lines:
        grace, born = site.sign_in("grace", lasts=6), monotonic()
        sessions = {"grace": grace, "ada": site.sign_in("ada")}
        site.users.refused, site.users.refusals = "access:grace:", 0
        sleep_until(born + YOUNG)
        everybody = zip(chain(*lines.values()), people, strict=True)
        answers = at_once(*(asking(line, sessions[who]) for line, who in everybody))
    assert {answer.status for answer in answers} == {200}
    assert site.users.refusals
    for who in sessions:
        own = [answer for answer, asker in zip(answers, people, strict=True) if asker == who]
        assert len({answer.worker for answer in own}) == WORKERS
        assert {answer.json["who"] for answer in own} == {who}
        (token,) = {answer.json["token"] for answer in own}
        assert token.startswith(f"access:{who}:")
        assert token.endswith(":1")
    assert len(site.provider.refreshes) == 2


@pytest.mark.parametrize("rounds", [50, pytest.param(1000, marks=pytest.mark.large)])
def test_who_signs_out_while_requests_are_answered_stays_signed_out(
    site: Site, rounds: int
) -> None:
    """The token is stale, so it is refreshed meanwhile; the session was idle, so it is written."""
    dice, statuses, refreshed = Random(rounds), Counter[int](), 0
    with site.app.lines(2) as lines:
        ask, leave = ([pair[index] for pair in lines.values()] for index in (0, 1))
        for _ in range(0, rounds, AHEAD):
            for number, session, born in [site.begin() for _ in range(AHEAD)]:
                sleep_until(born + USED)
                out = leaving(dice.choice(leave), session, dice.random() * LEAVES_WITHIN)
                left, *answers = at_once(out, *(asking(line, session) for line in ask))
                assert left.status == 200
                statuses.update(answer.status for answer in answers)
                assert_signed_out(ask, session)
                refreshed += site.revoked(number).number
    assert statuses.keys() == {200, 401}
    assert min(statuses.values()) > rounds / 10, "nothing met"
    assert rounds / 10 < refreshed <= rounds


def assert_signed_out(lines: list[Line], session: str) -> None:
    """In every process."""
    for line in lines:
        assert line.ask("/auth/session", session).json == {"authenticated": False}
    assert lines[0].ask("/web/me", session).status == 401


@pytest.mark.parametrize(
    "running", ["sqlite", pytest.param("redis", marks=pytest.mark.large)], indirect=True
)
def test_a_process_that_is_killed_while_it_refreshes_delays_the_others_by_its_lock(
    site: Site,
) -> None:
    with site.app.lines() as lines, ThreadPoolExecutor(WORKERS) as threads:
        session = site.sign_in()
        victim, *others = chain(*lines.values())
        stuck = Event()
        site.provider.holding.append(stuck)
        try:
            lost = threads.submit(victim.ask, "/web/me", session)
            until(lambda: bool(site.provider.refreshes), "the provider is asked")
            waiting = [threads.submit(each.ask, "/web/me", session) for each in others]
            os.kill(victim.worker, signal.SIGKILL)
            killed = monotonic()
            answers = [each.result(20) for each in waiting]
            took = monotonic() - killed
            assert isinstance(lost.exception(20), OSError | HTTPException)
        finally:
            stuck.set()
    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["token"] for answer in answers}) == 1
    assert LOCK - 2 < took < LOCK + 3
    assert len(site.provider.refreshes) == 2
