"""pytest fixtures for views: clients, mocked services, recordings, time.

Each fixture imports what it needs, so that test runs without them stay fast.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches, unified_diff
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flask import Flask

    from bff.declare.check import CheckedConfig
    from bff.dev.recordings.replay import ReplayExchange
    from bff.dev.recordings.replay_cursor import ReplayCursor
    from bff.testing.client import Client
    from bff.testing.matrix import Cell
    from bff.testing.site import AdjustableClock
    from bff.testing.upstream import Upstream


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the settings of this plugin."""
    parser.addini("bff_config", "the folder of bff.yaml", default="config")
    group = parser.getgroup("bff")
    group.addoption(
        "--bff-update", action="store_true", help="rewrite the snapshots of failure matrices"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "recordings(folder, unused='ignore'): recordings for requests that a test does not mock;"
        " unused='fail' fails a test that leaves entries unused.",
    )


@pytest.fixture(scope="session")
def bff_config(pytestconfig: pytest.Config) -> Path:
    """The folder of the configuration: the setting `bff_config`, below the root of the tests."""
    return pytestconfig.rootpath / str(pytestconfig.getini("bff_config"))


@pytest.fixture(scope="session")
def bff_environ() -> Mapping[str, str]:
    """The environment of the configuration; variables of addresses need not be set."""
    from bff.testing.site import StubEnviron

    return StubEnviron(os.environ)


@pytest.fixture(scope="session")
def bff_checked(bff_config: Path, bff_environ: Mapping[str, str]) -> CheckedConfig:
    """The checked configuration, read once."""
    from bff.declare.check import check

    return check(bff_config, bff_environ)


@pytest.fixture
def bff_clock() -> AdjustableClock:
    """The clock of the app: `bff_clock.advance(60)`."""
    from bff.testing.site import AdjustableClock

    return AdjustableClock()


@pytest.fixture
def upstream(bff_checked: CheckedConfig) -> Iterator[Upstream]:
    """A respx router for each service: `upstream.orders.get("/orders").respond(503)`.

    A test fails where a mock raises an exception that no transport raises, and where a mock is
    never called.
    """
    from bff.testing.upstream import Upstream

    made = Upstream(bff_checked.config.services)
    yield made
    made.raise_mistakes()
    unasked = made.unasked()
    if unasked:
        hint = "remove it, correct its path, or assert that `route.called` is false"
        pytest.fail("\n".join([*unasked, f"  hint: {hint}"]), pytrace=False)


@pytest.fixture
def recordings(
    request: pytest.FixtureRequest, bff_config: Path, bff_checked: CheckedConfig
) -> Iterator[ReplayExchange]:
    """The recordings for requests without a mock: the folder of the marker, or recordings/."""
    from bff.dev.har_files import har_files
    from bff.dev.recordings.replay import ReplayExchange
    from bff.dev.recordings.replay_cursor import entry_text
    from bff.dev.recordings.unmatched import unmatched_text
    from bff.dev.shop.recordings import folder_of

    marker = request.node.get_closest_marker("recordings")
    folder = request.config.rootpath / _folder_of(marker) if marker else folder_of(bff_config)
    services = tuple(bff_checked.config.services)
    cursors = _cursors(folder, services) if marker or har_files(folder) else {}
    for cursor in cursors.values():
        cursor.rewind()
    replay = ReplayExchange(cursors, bff_checked.config.services)
    yield replay
    missed = replay.missed()
    if missed:
        pytest.fail("\n\n".join(map(unmatched_text, missed)))
    if marker and marker.kwargs.get("unused") == "fail" and replay.unused():
        lines = [
            f"{name}.har {entry_text(each)}"
            for name, entries in replay.unused().items()
            for each in entries
        ]
        pytest.fail("recorded entries without a request:\n" + "\n".join(lines))


@pytest.fixture
def bff_app(
    bff_checked: CheckedConfig,
    upstream: Upstream,
    recordings: ReplayExchange,
    bff_clock: AdjustableClock,
    tmp_path: Path,
) -> Iterator[Flask]:
    """The app of a test: its services are mocked or recorded, its time is controlled."""
    from bff.testing.client import MISTAKES
    from bff.testing.site import app_on
    from bff.testing.upstream import MockedExchange

    exchange = MockedExchange(bff_checked.config.services, upstream, recordings)
    app = app_on(
        bff_checked, exchange, recordings, tmp_path, clock=bff_clock, epoch=bff_clock.epoch
    )
    app.extensions[MISTAKES] = upstream.raise_mistakes
    yield app
    exchange.close()


@pytest.fixture
def client_for(bff_app: Flask, bff_checked: CheckedConfig) -> Callable[..., Client]:
    """A client of the app: `client_for("ada", plan="pro")`; `client_for()` is anonymous."""
    from bff.testing.client import principal_of
    from bff.testing.site import client_of

    def make(subject: str | None = None, **claims: Any) -> Client:
        return client_of(bff_app, bff_checked.config, principal_of(subject, claims))

    return make


@pytest.fixture
def browser_for(bff_app: Flask, bff_checked: CheckedConfig) -> Callable[..., Client]:
    """A client with a real session: its cookie, its expiry, and the CSRF check.

    `browser_for("ada", plan="pro").get("/web/home", headers={"X-CSRF": "1"})`
    """
    from bff.testing.site import browser_of

    def make(subject: str, **claims: Any) -> Client:
        return browser_of(bff_app, bff_checked.config, subject, claims)

    return make


@pytest.fixture
def failure_matrix(
    request: pytest.FixtureRequest, bff_checked: CheckedConfig, recordings: ReplayExchange
) -> Callable[..., Sequence[Cell]]:
    """Run a view with each of its services failing: `failure_matrix("home", "ada", plan="pro")`.

    Fails where an answer is a 500 or late, or the view fails without faults. With
    `snapshots=True` it fails where an answer differs from the file snapshots/VIEW.json;
    `--bff-update` writes that file.
    """
    from bff.testing.client import principal_of
    from bff.testing.matrix import Matrix, MatrixRequest, snapshot, verdict

    def run(
        view: str,
        subject: str | None = None,
        *,
        params: Mapping[str, str] | None = None,
        body: Any = None,
        snapshots: bool = False,
        **claims: Any,
    ) -> Sequence[Cell]:
        _refuse_mistyped(claims)
        values = {name: [str(value)] for name, value in (params or {}).items()}
        asked = MatrixRequest(values, principal_of(subject, claims), body)
        try:
            cells = list(Matrix(bff_checked, recordings.cursors, view).cells(asked))
        except ValueError as error:
            pytest.fail(f"failure_matrix: {error}")
        wrong = [
            f"{each.frontend}, {each.service or 'nothing'} {each.broken}: {why}"
            for each in cells
            if (why := verdict(each, bff_checked, view))
        ]
        if wrong:
            pytest.fail("\n".join(wrong))
        if snapshots:
            update = bool(request.config.getoption("--bff-update"))
            _compare(request.path.parent / "snapshots" / f"{view}.json", snapshot(cells), update)
        return cells

    return run


def _folder_of(marker: pytest.Mark) -> str:
    """The folder of a marker; fails the test where the marker is invalid."""
    known, wrong = {"unused"}, ""
    if len(marker.args) != 1 or not isinstance(marker.args[0], str):
        wrong = "it takes one folder"
    elif marker.kwargs.keys() - known:
        wrong = f"unknown argument `{min(marker.kwargs.keys() - known)}`"
    elif marker.kwargs.get("unused", "ignore") not in {"ignore", "fail"}:
        wrong = "`unused` must be `ignore` or `fail`"
    if wrong:
        hint = '@pytest.mark.recordings("tests/checkout", unused="fail")'
        pytest.fail(f"the marker `recordings`: {wrong}, for example {hint}", pytrace=False)
    folder: str = marker.args[0]
    return folder


def _refuse_mistyped(claims: Mapping[str, Any]) -> None:
    """Fail the test where a claim is probably a mistyped keyword of `failure_matrix`."""
    for name in claims:
        near = get_close_matches(name, ("params", "body", "snapshots"), n=1, cutoff=0.75)
        if near:
            pytest.fail(f"failure_matrix has no `{name}`; did you mean `{near[0]}`?")


def _compare(file: Path, text: str, update: bool) -> None:  # noqa: FBT001 - an option's value
    if not update and not file.is_file() and os.environ.get("CI", "") not in {"", "0", "false"}:
        hint = "run with --bff-update locally, review and commit it"
        pytest.fail(f"{file}: there is no such snapshot; {hint}")
    if update or not file.is_file():
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    before = file.read_text(encoding="utf-8")
    if text != before:
        lines = unified_diff(before.splitlines(), text.splitlines(), "before", "now", lineterm="")
        pytest.fail(
            f"{file}: the answers have changed; --bff-update rewrites it\n" + "\n".join(lines)
        )


@lru_cache(maxsize=8)
def _cursors(folder: Path, services: tuple[str, ...]) -> dict[str, ReplayCursor]:
    from bff.dev.recordings.replay_cursor import replay_cursors

    return replay_cursors(folder, services=services)
