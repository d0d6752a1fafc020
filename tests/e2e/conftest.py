"""One demo and one browser for each worker of the tests; every test begins with all services up.

The demo signs everybody in as ada without a form, and `page` is signed in.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.browser import Browser, chromium, until
from tests.e2e.providers.keycloak import Keycloak, shared_keycloak
from tests.person import Person
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


class Demo:
    """A running demo, asked directly."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._ada = Person(self.url)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """What ada is answered, at a device of her own."""
        if not path.startswith("/demo/") and not self._ada.session()["authenticated"]:
            self._ada.sign_in()
        status, _, text = self._ada.ask(path, method, body)
        return status, json.loads(text) if text[:1] in {b"{", b"["} else text

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
    port = free_port()
    out = tmp_path_factory.mktemp("demo") / "out"
    words = ["--latency", "1ms-5ms", "--as", "ada"]
    unset = re.compile(r"BFF_|.*_URL$|PORT$")
    environ = {name: value for name, value in os.environ.items() if not unset.match(name)}
    with (
        out.open("wb") as log,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "bff.cli", "demo", "--port", str(port), *words],
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
def keycloak(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    """The one Keycloak of a run, whichever of its processes asks first."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with shared_keycloak(folder / "keycloak") as running:
        yield running


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
    if not only_browser.text("#who [data-key=sign-out]"):
        only_browser.click("#who a.primary")
        until(lambda: only_browser.text("#who [data-key=sign-out]"), "somebody is signed in")
        until(lambda: shown(only_browser), "the answers are shown")
    only_browser.log()  # the last test's
    yield only_browser
    only_browser.open("about:blank")


@pytest.fixture
def signed_out(demo: Demo, only_browser: Browser) -> Iterator[Browser]:
    """The page as it is before anybody has signed in."""
    demo.everything_up()
    only_browser.open(demo.url)
    only_browser.forget()
    only_browser.size(1600, 1000)
    only_browser.media(prefers_color_scheme="light")
    only_browser.log()
    only_browser.open(demo.url)
    until(lambda: shown(only_browser), "the answers are shown")
    yield only_browser
    only_browser.open("about:blank")


def shown(page: Browser) -> bool:
    wanted = (".side-web .status", ".side-mobile .status", "#explored .status", ".service input")
    return all(page.run("return !!document.querySelector(arguments[0])", each) for each in wanted)


def sees(page: Browser, selector: str, text: str) -> None:
    try:
        until(lambda: text in page.text(selector), f"{selector} says {text!r}")
    except AssertionError as error:
        raise AssertionError(f"{error}\nit says: {page.text(selector)}") from None
