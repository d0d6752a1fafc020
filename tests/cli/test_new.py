"""`bff new`: what it makes runs, passes its own tests, and is told to the editor."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_demo import started


@pytest.fixture
def project(bff, tmp_path):
    done = bff("new", str(tmp_path / "shop"))
    assert done.returncode == 0, done.stderr
    return tmp_path / "shop"


def run(project, *words):
    return subprocess.run(  # noqa: S603 - our own arguments
        [sys.executable, "-m", *words],
        cwd=project,
        env={name: each for name, each in os.environ.items() if not name.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_its_tests_pass_also_in_several_processes(project):
    for more in ((), ("-n", "2")):
        done = run(project, "pytest", "-q", "-W", "error", *more)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "3 passed" in done.stdout


def test_it_is_good_and_its_schemas_are_those_of_the_language(project, bff):
    assert bff("check", "--strict", cwd=project).returncode == 0
    wanted = bff("schema", "view").stdout
    assert json.loads((project / "config/schema/view.json").read_text()) == json.loads(wanted)
    settings = json.loads((project / ".vscode/settings.json").read_text())
    schemas = {path.relative_to(project) for path in project.glob("config/schema/*.json")}
    assert {Path(name) for name in settings["yaml.schemas"]} == schemas


def test_it_runs_on_its_recording(environ, project, port, tmp_path):
    with started(environ, project, port, tmp_path, "dev", "--replay") as dev:
        status, _, body = dev.ask("/web/hello?name=ada")
        assert (status, json.loads(body)["text"]) == (200, "Hello, Ada!")
        view = project / "config/views/hello.yaml"
        view.write_text(view.read_text().replace("greeting.text", '"greeting.{said: text}"'))
        assert json.loads(dev.ask("/web/hello")[2])["text"] == {"said": "Hello, world!"}


def test_nothing_that_is_there_is_written_over(project, bff):
    done = bff("new", str(project))
    assert done.returncode == 2
    assert "exists already" in done.stderr
