"""The version is the same wherever it is named, and the changelog follows Keep a Changelog."""

import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
HEADINGS = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def sections() -> dict[str, str]:
    """The text below each heading of a version."""
    _, *parts = re.split(r"^## (.+)\n", CHANGELOG, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_the_newest_version_of_the_changelog_is_the_package_s() -> None:
    newest = HEADINGS[1].split(" - ")[0]
    assert newest == f"[{VERSION}]"


def test_the_changelog_opens_with_what_is_unreleased() -> None:
    assert HEADINGS[0] == "[Unreleased]"


def test_each_version_has_a_number_and_a_date_newest_first() -> None:
    released = [re.fullmatch(r"\[(\d+)\.(\d+)\.(\d+)\] - (\S+)", line) for line in HEADINGS[1:]]
    assert all(released), HEADINGS
    known = [match.groups() for match in released if match]
    numbers = [tuple(map(int, parts[:3])) for parts in known]
    dates = [date.fromisoformat(parts[3]) for parts in known]
    assert numbers == sorted(set(numbers), reverse=True)
    assert dates == sorted(dates, reverse=True)


@pytest.mark.parametrize("version", HEADINGS)
def test_changes_are_sorted_by_the_kinds_of_keep_a_changelog(version: str) -> None:
    kinds = re.findall(r"^### (.+)$", sections()[version], re.MULTILINE)
    assert kinds == [kind for kind in KINDS if kind in kinds]


@pytest.mark.parametrize("version", HEADINGS[1:])
def test_a_released_version_has_entries_under_each_heading(version: str) -> None:
    parts = re.split(r"^###+ .+\n", sections()[version], flags=re.MULTILINE)[1:]
    kinds = re.findall(r"^(###+) ", sections()[version], re.MULTILINE)
    followed = [*kinds[1:], ""]
    for level, after, text in zip(kinds, followed, parts, strict=True):
        assert "\n- " in text or len(after) > len(level), text


def test_the_command_prints_the_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bff.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout == f"bff, version {VERSION}\n"


def test_the_pages_name_this_version() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = re.compile(r"\bbff, version (\S+)|@v(\d+\.\d+\.\d+)")
    found = [
        (page.name, one or two) for page in pages for one, two in named.findall(page.read_text())
    ]
    assert found
    assert {version for _, version in found} == {VERSION}, found
