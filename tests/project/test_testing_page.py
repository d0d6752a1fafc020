"""What docs/testing.md teaches is so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bff.dev.recordings.live import live
from bff.dev.recordings.message import StubReply, StubRequest
from bff.dev.rules import read_rules
from bff.dev.shop.recordings import shop_recordings
from bff.fixtures import __dict__ as plugin

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/testing.md").read_text()


def block(language, start=""):
    return re.search(rf"^```{language}\n({start}.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_the_tests_that_are_shown_pass(tmp_path, more):
    (tmp_path / "test_home.py").write_text(block("python", "# test_home"))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nbff_config = {ROOT / 'config'}\n")
    done = subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", "pytest", "-q", "-W", "error", *more],
        cwd=tmp_path,
        env={name: each for name, each in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_the_service_with_a_state_that_is_shown_has_one(tmp_path):
    (tmp_path / "live.py").write_text(block("python", "# recordings/live"))
    orders = live(tmp_path, {"orders": lambda _: StubReply(200, (), b"recorded")})["orders"]
    orders(StubRequest("orders", "POST", "/carts/ada", "/carts/ada", "", body=b'{"n": 1}'))
    found = [orders(StubRequest("orders", "GET", path, path, "")).body for path in
             ("/carts/ada", "/carts/bob", "/orders")]  # fmt: skip
    assert found == [b'{"items":[{"n":1}]}', b'{"items":[]}', b"recorded"]


def test_the_rules_that_are_shown_can_be_read(tmp_path):
    (tmp_path / "rules.toml").write_text(block("toml"))
    rules = read_rules(tmp_path)
    assert rules.redact.headers == {"x-employee"}
    assert rules.match.of("orders").query == {"ts", "nonce"}
    assert rules.match.of("users").query == {"ts"}


def test_the_shops_rules_can_be_read():
    assert read_rules(shop_recordings()).redact.paths


def test_every_fixture_is_documented():
    fixtures = [
        name for name, each in plugin.items() if type(each).__name__ == "FixtureFunctionDefinition"
    ]
    assert len(fixtures) >= 7
    assert [name for name in fixtures if f"`{name}`" not in PAGE and name != "bff_checked"] == []
