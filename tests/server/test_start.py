"""What `bff serve` needs to start: bff.yaml and views, and no file of gunicorn's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.deployed import ask, until
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
VIEW = "get: /page\naccess: public\ncall: {get: s:/x, optional: true}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder, but for the smallest configuration."""
    (tmp_path / "config/views").mkdir(parents=True)
    (tmp_path / "config/views/page.yaml").write_text(VIEW)
    root = "version: 1\nfrontends: {web: {access: none}}\nservices: {s: {url: 'http://h'}}\n"
    (tmp_path / "config/bff.yaml").write_text(root)
    return tmp_path


def environ(folder: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "BFF_STATE": str(folder / "state")}


def served(folder: Path, port: int, *words: str, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "bff.cli", *words],
        cwd=folder,
        env={**environ(folder), "PORT": str(port), "BFF_BIND": f"127.0.0.1:{port}", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("command", ["serve", "dev", "record"])
def test_a_configuration_is_bff_yaml_and_views(folder: Path, command: str) -> None:
    port, management = free_port(), free_port()
    given = {"BFF_MANAGEMENT_BIND": f"127.0.0.1:{management}", "BFF_WORKERS": "1"}
    with served(folder, port, command, **given) as process:
        try:
            until("an answer", lambda: ask(port, "/readyz").status == 200)
            assert ask(port, "/web/page").status == 200
        finally:
            process.terminate()
            process.wait(20)
    assert sorted(path.name for path in (folder / "config").rglob("*.*")) == [
        "bff.yaml",
        "page.yaml",
    ]


def test_what_gunicorn_may_be_set_to_is_set(folder: Path) -> None:
    port, pid = free_port(), folder / "pid"
    given = {"BFF_MANAGEMENT_BIND": "", "GUNICORN_CMD_ARGS": f"--pid {pid} --log-level debug"}
    with served(folder, port, "serve", **given) as process:
        try:
            until("an answer", lambda: ask(port, "/readyz").status == 200)
            assert int(pid.read_text()) == process.pid
        finally:
            process.terminate()
            out, _ = process.communicate(timeout=20)
    assert "[DEBUG]" in out


@pytest.mark.parametrize(
    ("command", "place"),
    [
        *(("serve", "."), ("serve", "config"), ("dev", "."), ("dev", "config")),
        *(("record", "."), ("record", "config"), ("demo", ".")),
    ],
)
def test_a_file_of_gunicorns_settings_ends_the_start_with_2(
    folder: Path, command: str, place: str
) -> None:
    (folder / place / "gunicorn.conf.py").write_text("raise SystemExit(3)\n")
    with served(folder, free_port(), command) as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "gunicorn.conf.py:1:1: error: delete this file" in out
    assert "GUNICORN_CMD_ARGS" in out
    assert "Traceback" not in out


def test_bff_check_reports_it_as_an_error(folder: Path) -> None:
    (folder / "config/gunicorn.conf.py").write_text("workers = 3\n")
    with served(folder, 0, "check") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "config/gunicorn.conf.py:1:1: error: delete this file" in out
    assert "[gunicorn-file]" in out
