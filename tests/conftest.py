"""What holds for every test: nothing is left behind on the machine that runs it."""

import os
from pathlib import Path

import pytest

from tests.small_disk import read_only as read_only  # noqa: PLC0414 - likewise
from tests.small_disk import small_disk as small_disk  # noqa: PLC0414 - a fixture for all

CACHE = Path(__file__).parents[1] / "build/cache"


def pytest_configure():
    """What is generated when it is needed is shared by all processes of all runs."""
    os.environ["XDG_CACHE_HOME"] = str(CACHE)


@pytest.fixture(autouse=True, scope="session")
def state_folder(tmp_path_factory):
    """Sessions, and the secret that is made for them, are kept in a folder of the run's own."""
    folder = tmp_path_factory.mktemp("state")
    before = os.environ.get("XDG_STATE_HOME")
    os.environ["XDG_STATE_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
