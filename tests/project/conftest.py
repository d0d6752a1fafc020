"""Where the repository is, and what is committed in it."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def committed(root: Path) -> list[Path]:
    """Every file of the repository, also one that is yet to be committed."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, check=True)  # noqa: S603
    found = [root / name for name in sorted(set(listed.stdout.decode().split("\0"))) if name]
    return [path for path in found if path.is_file()]
