"""docs/tutorial.md, followed in an empty folder: its files, its commands, their output."""

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.ports import free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorial.md").read_text()
BLOCKS = [
    (found[1], found[2])
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
]
BIN = Path(sys.executable).parent


def files(label: str) -> list[str]:
    """The versions of a file, in the order of the page."""
    return [text for _, text in BLOCKS if text.startswith(f"# {label}\n")]


def shown_after(command: str) -> list[str]:
    """The output that the page shows for a command, each time that it is run."""
    pairs = itertools.pairwise(BLOCKS)
    return [
        after for (kind, text), (_, after) in pairs if kind == "sh" and command in text.splitlines()
    ]


@pytest.fixture
def ports() -> dict[str, str]:
    return {port: str(free_port()) for port in ("9001", "9002", "8080")}


@pytest.fixture
def folder(tmp_path: Path, ports: dict[str, str]) -> Path:
    """An empty folder with the services and the first configuration of the page."""
    (tmp_path / "config/views").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    texts = {
        "services.py": files("services.py")[0],
        "config/bff.yaml": files("bff.yaml")[0],
        "config/views/home.yaml": files("views/home.yaml")[0],
        "tests/test_home.py": files("tests/test_home.py")[0],
    }
    for name, text in texts.items():
        own = re.sub("|".join(ports), lambda found: ports[found[0]], text)
        (tmp_path / name).write_text(own)
    return tmp_path


def run(folder: Path, *command: str) -> str:
    """The output of a command that succeeds."""
    done = subprocess.run(  # noqa: S603 - commands of the page
        [BIN / command[0], *command[1:]],
        cwd=folder,
        env=environ(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environ() -> dict[str, str]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST")}
    return inherited | {"COLUMNS": "100"}


@contextmanager
def running(folder: Path, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A process of the page, ended by Ctrl-C."""
    with (
        subprocess.Popen(  # noqa: S603 - commands of the page
            [BIN / command[0], *command[1:]],
            cwd=folder,
            env=environ(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process
    ):
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def get(url: str) -> tuple[str, str]:
    """The body and the `BFF-Calls` of a URL that is served within half a minute."""
    connecting = httpx.HTTPTransport(retries=10)  # with a back-off: the process is starting
    with httpx.Client(transport=connecting, timeout=30) as client:
        answer = client.get(url).raise_for_status()
    return answer.text, answer.headers.get("BFF-Calls", "")


def without_times(text: str) -> list[str]:
    """A table's cells, without durations and padding."""
    return re.sub(r"\b\d\.\d\d\b", "#", text).split()


def test_the_page_is_true(folder: Path, ports: dict[str, str]) -> None:
    view, url = folder / "config/views/home.yaml", f"http://127.0.0.1:{ports['8080']}/web/home/ada"
    _, second, third = files("views/home.yaml")
    assert run(folder, "bff", "check") == shown_after("bff check")[0]
    with running(folder, "python", "services.py"):
        get(f"http://127.0.0.1:{ports['9001']}/people/ada")
        with running(folder, "bff", "dev", "--port", ports["8080"]):
            body, calls = get(url)
            assert body in shown_after("curl -i http://127.0.0.1:8080/web/home/ada")[0]
            assert calls == "person=ok"
        view.write_text(second)
        plan = shown_after("bff explain home")[0]
        assert run(folder, "bff", "explain", "home").strip() == plan.strip()
        with running(folder, "bff", "record", "--port", ports["8080"]) as record:
            shown = shown_after("curl http://127.0.0.1:8080/web/home/ada")
            assert get(url)[0] == shown[0].strip()
            record.send_signal(signal.SIGINT)
            assert record.communicate(timeout=30)[0].endswith(shown[1])
    matrix = ("bff", "matrix", "home", "--param", "person=ada")
    before, after = shown_after(" ".join(matrix))
    assert without_times(run(folder, *matrix)) == without_times(before)
    view.write_text(third)
    assert without_times(run(folder, *matrix)) == without_times(after)
    assert "3 passed" in run(folder, "pytest", "-q")
