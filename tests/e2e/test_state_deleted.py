"""The files of sessions are deleted or replaced while several processes serve with them."""

import os
import shutil
import signal
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest

from bff.dev.stubs.stub import StubReply, StubServices
from tests.e2e.browser import until
from tests.e2e.providers.rotating import RotatingProvider, listening
from tests.e2e.serving import Line, Served, served

WORKERS = 2
CONFIG = """
frontends: {{web: {{access: session}}}}
providers:
  main: {{issuer: "{issuer}", client_id: the-client, client_secret: "${{CLIENT_SECRET}}"}}
services: {{users: {{url: "{users}", credentials: session}}}}
"""
ME = 'get: /me\ncall: {get: "users:/me"}\n'


def file_deleted(state: Path) -> None:
    (state / "sessions.db").unlink()


def all_deleted(state: Path) -> None:
    """The secret of sessions, too."""
    for each in state.iterdir():
        each.unlink()


def folder_deleted(state: Path) -> None:
    shutil.rmtree(state)


def replaced(state: Path) -> None:
    """By a backup of a moment ago: a sign-out since then would be undone."""
    shutil.copy(state / "sessions.db", state / "backup.db")
    (state / "backup.db").rename(state / "sessions.db")


def replace_a_worker(app: Served) -> None:
    """Have a process take the place of another one: it opens its files anew."""
    with app.lines() as lines:
        victim = next(iter(lines))
    os.kill(victim, signal.SIGKILL)
    until(lambda: _has_ended(victim), "it has ended")


def _has_ended(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def asked(line: Line, session: str) -> tuple[int, int]:
    return (line.ask("/web/me", session).status, line.ask("/auth/session", session).status)


@pytest.mark.parametrize("amiss", [file_deleted, all_deleted, folder_deleted, replaced])
def test_no_process_takes_anybody_for_anonymous_and_all_say_that_they_are_not_ready(
    tmp_path: Path, amiss: Callable[[Path], None]
) -> None:
    with (
        listening(RotatingProvider(first=300)) as provider,
        StubServices({"users": lambda _: StubReply.json({})}) as stubs,
    ):
        config = CONFIG.format(issuer=provider.issuer, users=stubs.urls["users"])
        with served(tmp_path / "app", config, {"me": ME}, WORKERS) as app:
            with app.visitor() as visitor:
                assert visitor.go("/auth/login?return_to=/livez").status_code == 200
                session = visitor.session
            with app.lines() as lines:
                for line in chain(*lines.values()):
                    assert asked(line, session) == (200, 200)
            amiss(tmp_path / "app/state")
            replace_a_worker(app)
            with app.lines() as lines:
                for line in chain(*lines.values()):
                    answers = [asked(line, session) for _ in range(5)]
                    assert answers[-1] == (503, 503)
                    assert {status for each in answers for status in each} <= {200, 503}
                    until(
                        lambda line=line: line.ask("/readyz").status == 503, "not ready"
                    )  # a look in 2 s
                    assert line.ask("/livez").status == 200
            log = (tmp_path / "app/log").read_text()
            assert "while in use: restart bff; all users have to sign in again" in log
