"""One demo and one browser for each worker of the tests; every test begins with all services up."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import Browser, chromium, until

ROOT = Path(__file__).parents[2]


class Demo:
    """A running demo, asked directly."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            content = None if body is None else json.dumps(body)
            sent = {"Content-Type": "application/json"} if content else {}
            connection.request(method, path, content, {**sent, **(headers or {})})
            reply = connection.getresponse()
            text = reply.read()
            return reply.status, json.loads(text) if text[:1] in {b"{", b"["} else text
        finally:
            connection.close()

    def service(self, name: str, state: str = "up", latency_ms: int = 0) -> None:
        status, told = self.ask(
            "PUT", f"/demo/services/{name}", {"state": state, "latency_ms": latency_ms}
        )
        assert status == 200, told

    def everything_up(self) -> None:
        for name, status in self.ask("GET", "/demo/services")[1].items():
            if (status["state"], status["latency_ms"]) != ("up", 0):
                self.service(name)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    out = tmp_path_factory.mktemp("demo") / "out"
    unset = re.compile(r"BFF_|.*_URL$|PORT$")
    environ = {name: value for name, value in os.environ.items() if not unset.match(name)}
    with (
        out.open("wb") as log,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bff.cli", "demo", "--port", str(port), "--latency", "1ms-5ms"],
            cwd=ROOT,
            env=environ,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            until(lambda: _greeted(process, out), "the demo greets", within=30)
            yield Demo(port)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(20)


def _greeted(process: "subprocess.Popen[bytes]", out: Path) -> bool:
    text = out.read_text()
    assert process.poll() is None, text
    return "Ctrl-C" in text


@pytest.fixture(scope="session")
def only_browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(demo: Demo, only_browser: Browser) -> Iterator[Browser]:
    """The page, opened anew in a wide light window, both answers and the panel's shown."""
    demo.everything_up()
    only_browser.size(1600, 1000)
    only_browser.media(prefers_color_scheme="light")
    only_browser.open(demo.url)
    until(lambda: shown(only_browser), "the answers are shown")
    only_browser.log()  # the last test's
    yield only_browser
    only_browser.open("about:blank")


def shown(page: Browser) -> bool:
    wanted = (".side-web .status", ".side-mobile .status", "#explored .status", ".service input")
    return all(page.run("return !!document.querySelector(arguments[0])", each) for each in wanted)
