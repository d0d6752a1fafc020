"""The command `bff`, run as people run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def repository():
    return REPOSITORY


@pytest.fixture(scope="session")
def environ():
    """An environment in which nothing of bff is set."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BFF_")}
    for name in [name for name in kept if name.endswith("_URL") or name == "PORT"]:
        del kept[name]
    return {**kept, "COLUMNS": "120", "PYTHONPATH": str(REPOSITORY)}


@pytest.fixture(scope="session")
def bff(environ):
    """Run it: `bff("check", "--json")`."""

    def run(*arguments, cwd=REPOSITORY, **more):
        return subprocess.run(  # noqa: S603
            [sys.executable, "-m", "bff.cli", *arguments],
            cwd=cwd,
            env={**environ, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def port():
    return free_port()
