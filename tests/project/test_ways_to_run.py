"""make, Docker, nginx and gunicorn tell one story."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bff.server.settings import KEEPALIVE


def found(pattern: str, path: Path) -> set[str]:
    matches = set(re.findall(pattern, path.read_text(), re.MULTILINE))
    assert matches, f"{pattern} is not in {path}"
    return matches


def test_make_alone_lists_every_target(root: Path) -> None:
    command = ["make", "--no-print-directory"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)  # noqa: S603
    targets = set(next(iter(found(r"^\.PHONY: (.+)$", root / "Makefile"))).split())
    assert set(re.findall(r"^  make (\S+) +\S", done.stdout, re.MULTILINE)) == targets - {
        "packages"
    }


def test_everyone_names_the_same_ports(root: Path) -> None:
    app = found(r"^EXPOSE (\d+)$", root / "Dockerfile")
    assert app == found(r"BFF_BIND=\S+:(\d+)", root / "Dockerfile")
    assert app == found(r"127\.0\.0\.1', (\d+), .+/livez", root / "Dockerfile")
    assert app == found(r"^BFF_NGINX_UPSTREAM=\S+:(\d+)$", root / "nginx/defaults.env")
    people = found(r"^PORT \?= (\d+)$", root / "Makefile")
    assert people == found(r"http://127\.0\.0\.1:(\d+)", root / "Makefile")
    assert people == found(r"^BFF_NGINX_LISTEN=(\d+)$", root / "nginx/defaults.env")
    assert not app & people


def test_nginx_closes_an_idle_connection_before_gunicorn_does(root: Path) -> None:
    nginx = found(r"^    keepalive_timeout (\d+)s;", root / "nginx/templates/bff.conf.template")
    assert max(map(int, nginx)) < KEEPALIVE


@pytest.mark.parametrize(
    ("program", "package"), [("java", "default-jre-headless"), ("mvn", "maven")]
)
def test_what_keycloak_needs_and_is_not_there_is_said(
    root: Path, tmp_path: Path, program: str, package: str
) -> None:
    there = {"bash", "cat", "dirname", "grep", "id", "node", "npm", "java", "mvn"} - {program}
    for (
        each
    ) in there:  # by any name that works: none of them is asked more than whether it is there
        (tmp_path / each).symlink_to(shutil.which(each) or "/bin/true")
    command = [str(tmp_path / "bash"), str(root / ".ci/bootstrap"), "keycloak"]
    environ = {"PATH": str(tmp_path)}
    found = subprocess.run(  # noqa: S603
        command, env=environ, capture_output=True, text=True, check=False
    )
    assert found.returncode != 0
    assert f"Missing: {program} (listed in .ci/packages-large)" in found.stderr
    assert package in found.stderr.splitlines()[-1]


@pytest.mark.parametrize("script", ["bootstrap", "lock", "run"])
def test_a_script_parses(root: Path, script: str) -> None:
    subprocess.run(["/bin/bash", "-n", f".ci/{script}"], cwd=root, check=True)  # noqa: S603
