"""What is installed is locked: every requirement by hash, from wherever the reader's pip looks."""

import re
import tomllib
from pathlib import Path

import pytest

NAMES = ("run", "build", "dev")


def entries(root: Path, name: str) -> list[str]:
    """The requirements of a lock file, each on one line with its hashes."""
    return (root / f"lock/{name}.txt").read_text().replace("\\\n", "").strip().splitlines()


def pins(root: Path, name: str) -> dict[str, str]:
    found = (re.match(r"([a-z0-9.-]+)==([^\s;]+)", line) for line in entries(root, name))
    return {match[1]: match[2] for match in found if match}


@pytest.mark.parametrize("name", NAMES)
def test_every_requirement_is_pinned_with_hashes(root: Path, name: str) -> None:
    for line in entries(root, name):
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( ; .+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line)


@pytest.mark.parametrize("name", NAMES)
def test_no_lock_says_where_packages_come_from(root: Path, name: str) -> None:
    text = (root / f"lock/{name}.txt").read_text()
    assert not re.search(r"://|--index|--extra-index|--find-links", text)


def test_the_locks_agree(root: Path) -> None:
    development = pins(root, "dev")
    assert pins(root, "run").items() <= development.items()
    assert pins(root, "build").items() <= development.items()


def test_what_pyproject_names_is_locked(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())

    def named(requirements: list[str]) -> set[str]:
        return {re.split(r"[^A-Za-z0-9._-]", word)[0].lower() for word in requirements}

    assert named(project["project"]["dependencies"]) <= pins(root, "run").keys()
    fast = project["project"]["optional-dependencies"]["fast"]
    assert named(fast) <= pins(root, "run").keys(), "what is deployed is fast"
    assert named(project["dependency-groups"]["dev"]) <= pins(root, "dev").keys()
    assert named(project["build-system"]["requires"]) <= pins(root, "build").keys()
