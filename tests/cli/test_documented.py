"""What is public is there, and what can be called or set is written down."""

import re

import pytest

import bff as package
from bff.cli import COMMANDS


def test_every_public_name_is_there():
    assert package.__all__ == sorted(package.__all__, key=lambda name: (not name.isupper(), name))
    for name in package.__all__:
        assert getattr(package, name).__doc__, name
    made = {name for name in vars(package) if not name.startswith(("_", "@"))}  # @: pytest's own
    modules = {
        "errors",
        "model",
        "cli",
        "app",
        "cache",
        "auth",
        "declare",
        "engine",
        "upstream",
        "web",
        "observe",
        "dev",
        "testing",
        "fixtures",
        "parts",
        "plan",
        "server",
        "store",
    }
    assert made - modules == set(package.__all__)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(repository, name):
    assert f"bff {name}" in (repository / "README.md").read_text()


def test_every_setting_is_documented(repository):
    from bff.declare.settings import Settings

    pages = [repository / "README.md", *sorted((repository / "docs").rglob("*.md"))]
    text = "".join(page.read_text() for page in pages)
    names = re.findall(r"BFF_[A-Z_]+", Settings.__doc__ or "")
    assert names
    assert [name for name in names if name not in text] == []
