"""pytest's fixtures for views: clients, scripted services, recordings, time.

Everything is imported by the fixture that needs it: a run that uses none of them pays for none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bff.declare.check import Checked
    from bff.dev.replay import ReplayExchange
    from bff.dev.tape import Tape
    from bff.testing.client import Client
    from bff.testing.site import Time
    from bff.testing.upstream import Upstream


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say where the configuration is."""
    parser.addini("bff_config", "the folder that holds bff.yaml", default="config")
    group = parser.getgroup("bff")
    group.addoption(
        "--bff-update", action="store_true", help="write the snapshots of failure matrices anew"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Explain the marker."""
    config.addinivalue_line(
        "markers",
        "recordings(folder, unused='ignore'): what answers for services that a test does not"
        " script; unused='fail' fails a test that leaves entries unused.",
    )


@pytest.fixture(scope="session")
def bff_config(pytestconfig: pytest.Config) -> Path:
    """The folder of the configuration: the setting `bff_config`, below the root of the tests."""
    return pytestconfig.rootpath / str(pytestconfig.getini("bff_config"))


@pytest.fixture(scope="session")
def bff_environ() -> Mapping[str, str]:
    """The environment that the configuration is read in; variables of addresses need not be set."""
    from bff.testing.site import Environ

    return Environ(os.environ)


@pytest.fixture(scope="session")
def bff_checked(bff_config: Path, bff_environ: Mapping[str, str]) -> Checked:
    """The configuration, read and checked once."""
    from bff.declare.check import check

    return check(bff_config, bff_environ)


@pytest.fixture
def bff_clock() -> Time:
    """The app's time: `bff_clock.advance(60)`."""
    from bff.testing.site import Time

    return Time()


@pytest.fixture
def upstream(bff_checked: Checked) -> Upstream:
    """A respx router for each service: `upstream.orders.get("/orders").respond(503)`."""
    from bff.testing.upstream import Upstream

    return Upstream(bff_checked.config.services)


@pytest.fixture
def recordings(
    request: pytest.FixtureRequest, bff_config: Path, bff_checked: Checked
) -> Iterator[ReplayExchange]:
    """What answers where the test scripts nothing: the folder of the marker, or recordings/."""
    from bff.dev.replay import ReplayExchange
    from bff.dev.unmatched import told

    marker = request.node.get_closest_marker("recordings")
    folder = bff_config / "recordings"
    if marker:
        folder = request.config.rootpath / marker.args[0]
    tapes = _tapes(folder) if marker or any(folder.glob("*.har")) else {}
    for tape in tapes.values():
        tape.rewind()
    replay = ReplayExchange(tapes, bff_checked.config.services)
    yield replay
    missed = replay.missed()
    if missed:
        pytest.fail("\n\n".join(map(told, missed)))
    if marker and marker.kwargs.get("unused") == "fail" and replay.unused():
        lines = [
            f"{name}.har log.entries[{each.number}]: {each.method} {each.target}"
            for name, entries in replay.unused().items()
            for each in entries
        ]
        pytest.fail("recorded, and not asked for:\n" + "\n".join(lines))


@pytest.fixture
def client_for(
    bff_checked: Checked,
    upstream: Upstream,
    recordings: ReplayExchange,
    bff_clock: Time,
    tmp_path: Path,
) -> Iterator[Callable[..., Client]]:
    """A client of the app: `client_for("ada", plan="pro")`; `client_for()` is nobody."""
    from bff.testing.client import somebody
    from bff.testing.site import app_on, client_of
    from bff.testing.upstream import ScriptedExchange

    exchange = ScriptedExchange(bff_checked.config.services, upstream, recordings)
    app = app_on(
        bff_checked, exchange, recordings, tmp_path, clock=bff_clock, epoch=bff_clock.epoch
    )

    def make(subject: str | None = None, **claims: Any) -> Client:
        return client_of(app, bff_checked.config, somebody(subject, claims))

    yield make
    exchange.close()


@lru_cache(maxsize=8)
def _tapes(folder: Path) -> dict[str, Tape]:
    from bff.dev.tape import tapes_of

    return tapes_of(folder)
