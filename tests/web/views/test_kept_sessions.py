"""What is kept for a session is dropped with it: nobody finds it, and nothing is added to it."""

from pathlib import Path
from threading import Event, Thread

import pytest

from bff.app import create_app
from bff.auth.oidc.login import SignedIn, Tokens
from bff.declare.check import check_config
from bff.declare.config import assemble
from bff.declare.load import parse
from bff.declare.settings import Settings
from bff.dev.stubs.stub import StubReply, StubServices
from bff.upstream.pool import PoolExchange
from tests.kept import Wall, memory_only

ROOT = """\
version: 1
hosts: [localhost]
frontends: {{web: {{access: session}}}}
session: {{secrets: ["0123456789012345678901234567890123456789"]}}
services: {{users: {{url: "{url}"}}}}
"""
VIEW = """\
get: /x
cache: {ttl: 10s, stale: 1h}
call: {get: "users:/of/{session.sub}", cache: {ttl: 10s, stale: 1h}}
"""


@pytest.fixture
def place(tmp_path):
    """An app, its sessions, the clock of what is kept, and a service that counts."""
    held = {"asked": 0, "gate": None}

    def users(_request):
        held["asked"] += 1
        if held["gate"]:
            held["gate"].wait(5)
        return StubReply.json(held["asked"])

    (tmp_path / "state").mkdir(mode=0o700)
    with StubServices({"users": users}) as stubs:
        root = parse(ROOT.format(url=stubs.urls["users"]), "bff.yaml", {})
        config = assemble(root, {"x": parse(VIEW, "x.yaml", {})}, {})
        exchange = PoolExchange(config.services, 8)
        wall = Wall()
        settings = Settings(Path("unused"), management_bind=None, state=tmp_path / "state")
        cache = memory_only(wall)
        app = create_app(check_config(config), settings, exchange=exchange, cache=cache)
        yield app, wall, held
        exchange.close()


def sessions_of(app):
    return app.view_functions["web.x"]._web.authenticate._sessions


def sign_in(app):
    tokens = Tokens(access="a", expires=9e12, refresh="r")
    ada = SignedIn("https://id.test", "ada", "sid", "", None, {}, tokens)
    return sessions_of(app).create(ada, "main", "client", {})


def ask(app, given):
    headers = {"Cookie": f"dev-bff={given}", "X-CSRF": "1"}
    return app.test_client(use_cookies=False).get("/web/x", headers=headers)


def test_what_was_kept_is_not_found_by_the_next_session_of_the_same_person(place):
    app, _, held = place
    first = sign_in(app)
    assert [ask(app, first).json for _ in range(3)] == [1, 1, 1]
    sessions = sessions_of(app)
    sessions.end(sessions.load(first).key)
    assert ask(app, first).status_code == 401
    assert ask(app, sign_in(app)).json == 2
    assert held["asked"] == 2


def test_a_refresh_that_is_under_way_when_they_sign_out_is_kept_for_nobody(place):
    app, wall, held = place
    first = sign_in(app)
    ask(app, first)
    wall.pass_by(11)
    held["gate"] = Event()
    assert ask(app, first).json == 1, "stale, and refreshed behind it"
    sessions = sessions_of(app)
    ended = Thread(target=sessions.end, args=(sessions.load(first).key,))
    ended.start()
    ended.join(5)
    held["gate"].set()
    held["gate"] = None
    keeper = app.view_functions["web.x"]._runtime.caching
    while keeper.background._flights:
        pass
    before = held["asked"]
    assert ask(app, sign_in(app)).json == before + 1
