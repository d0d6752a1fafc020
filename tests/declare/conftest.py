"""Folders of configuration, written for one test."""

from pathlib import Path

import pytest

from bff.declare.check import check
from bff.declare.rules.warnings import WARNINGS
from bff.errors import ConfigError

SHOP = Path(__file__).parents[2] / "config"
ROOT = """\
version: 1
limits: {person: 600/minute}
frontends:
  web: {access: session, languages: [en]}
  mobile: {access: none}
services:
  users: {url: "http://127.0.0.1:9001"}
  orders: {url: "http://127.0.0.1:9002", headers: {X-Tenant: "{session.claims.tenant}"}}
"""
HOME = """\
get: /home
access: public
calls:
  user: {get: "users:/users/1"}
shape: user.name
"""


@pytest.fixture(scope="session")
def shop():
    return SHOP


class Folder:
    """A folder of configuration."""

    def __init__(self, path):
        self.path = path

    def write(self, **files):
        """Write files by their stems: `bff`, views, and calls as `calls_x`."""
        for name, content in {"bff": ROOT, "home": HOME, **files}.items():
            if content is None:
                continue
            where = self.path / f"views/{name}.yaml"
            if name == "bff":
                where = self.path / "bff.yaml"
            elif name.startswith("calls_"):
                where = self.path / f"calls/{name.removeprefix('calls_')}.yaml"
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(content if isinstance(content, bytes) else content.encode())
        return self.path

    def check(self, environ=None, **files):
        """What a folder of these files is."""
        return check(self.write(**files), environ or {})

    def problems(self, environ=None, *, doubts=False, **files):
        """Every problem of these files, warnings among them; doubts only if asked for."""
        try:
            problems = self.check(environ, **files).warnings
        except ConfigError as error:
            problems = error.problems
            assert any(not each.warning for each in problems)
        doubtful = {rule.id for rule in WARNINGS}
        return tuple(each for each in problems if doubts or each.id not in doubtful)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Folder(tmp_path)
