"""The Dockerfile: linted, and its steps gone through in a folder of this machine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stack import dockerfile

HADOLINT = Path(sys.executable).parent / "hadolint"


def test_hadolint_has_nothing_to_say(root: Path) -> None:
    done = subprocess.run(  # noqa: S603
        [HADOLINT, "--no-color", "--failure-threshold", "style", "Dockerfile"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_is_not_ignored(root: Path) -> None:
    kept = {
        line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    for stage in dockerfile.read(root / "Dockerfile").values():
        for word, rest in stage.instructions:
            if word == "COPY" and not rest.startswith("--from"):
                for source in rest.split()[:-1]:
                    assert (root / source).exists(), source
                    assert Path(source).parts[0] in kept, source


def test_the_image_is_without_what_is_for_development(root: Path) -> None:
    stages = dockerfile.read(root / "Dockerfile")
    steps = " ".join(rest for _, rest in stages["build"].instructions)
    assert "rm -r bff/dev" in steps
    assert "lock/run.txt" in steps
    assert "lock/dev.txt" not in steps


def run_stage(root: Path, stage: dockerfile.Stage, at: Path) -> None:
    """Go through COPY and RUN of a stage that builds, with `/` in another folder.

    Args:
        at: what stands for the root of the file system; what stages leave there, the next finds.
    """
    environ = {name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "HOME"))}
    environ |= stage.environment | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    for word, rest in stage.instructions:
        if word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                copied(root / source, at / "src" / target)
        elif word == "RUN":
            here = re.sub(r"(?<![\w/.])/(build|opt/bff|wheels)\b", rf"{at}/\1", rest)
            subprocess.run(["/bin/sh", "-ec", here], cwd=at / "src", env=environ, check=True)  # noqa: S603


def copied(source: Path, target: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__")
    if source.is_dir():
        shutil.copytree(source, target, ignore=ignored)
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


@pytest.mark.large
def test_its_steps_make_an_app_that_checks_and_serves_the_shop(root: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    stages = dockerfile.read(root / "Dockerfile")
    for name in ("tools", "build"):
        run_stage(root, stages[name], tmp_path)
    (tmp_path / "app").mkdir()
    copied(root / "config", tmp_path / "app/config")
    environ = {"PATH": f"{tmp_path}/opt/bff/bin:/usr/bin:/bin"}
    environ |= {"BFF_CONFIG": "config", "BFF_STATE": f"{tmp_path}/state"}

    def told(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [f"{tmp_path}/opt/bff/bin/{words[0]}", *words[1:]],
            cwd=tmp_path / "app",
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )

    checked = told("bff", "check")
    assert checked.returncode == 0, checked.stderr
    ready = "from bff.app import create_app; c = create_app(); print('made')"
    made = told("python", "-c", ready)
    assert made.stdout == "made\n", made.stderr
    assert told("python", "-c", "import bff.dev").returncode == 1
    assert told("python", "-c", "import pytest").returncode == 1
    assert told("bff", "demo").returncode != 0


@pytest.mark.large
def test_the_steps_of_the_stand_ins_make_the_shops_services(root: Path, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    stages = dockerfile.read(root / "Dockerfile")
    for name in ("tools", "build-stand-ins"):
        run_stage(root, stages[name], tmp_path)
    python = f"{tmp_path}/opt/bff/bin/python"
    recordings = tmp_path / "recordings"
    subprocess.run([python, "-m", "bff.dev.shop", recordings], cwd=tmp_path, check=True)  # noqa: S603
    assert (recordings / "orders.har").is_file()
    subprocess.run([python, "-c", "import oidc_provider_mock"], cwd=tmp_path, check=True)  # noqa: S603
