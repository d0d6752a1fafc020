"""Drives headless Chromium over the W3C WebDriver protocol: chromedriver's HTTP, and nothing else.

https://www.w3.org/TR/webdriver2/; the two vendor routes (CDP, log) are chromedriver's own.
"""

import base64
import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from tests.ports import free_port

ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, section 11: its web element key
KEYS: Final = {
    "tab": "\ue004",
    "enter": "\ue007",
    "space": " ",
    "left": "\ue012",
    "right": "\ue014",
}
_FLAGS: Final = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]
_REPLY_SECONDS: Final = 30.0


class Browser:
    """One window. `page` text, keys and measures are asked for by script or protocol."""

    def __init__(self, port: int, profile: Path, binary: str, flags: Sequence[str] = ()) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_REPLY_SECONDS)
        options = {"binary": binary, "args": [*_FLAGS, *flags, f"--user-data-dir={profile}"]}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._root = ""
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._root = f"/session/{made['sessionId']}"

    def open(self, url: str) -> None:
        self._ask("POST", "/url", {"url": url})

    @property
    def address(self) -> str:
        """Where it is now."""
        return str(self._ask("GET", "/url", None))

    @property
    def tab(self) -> str:
        """The name of this tab."""
        return str(self._ask("GET", "/window", None))

    def new_tab(self) -> str:
        """Open another tab and go on there; the name of the one that was left."""
        left = self.tab
        made = self._ask("POST", "/window/new", {"type": "tab"})
        self.to_tab(made["handle"])
        return left

    def to_tab(self, name: str) -> None:
        """Go on in another tab."""
        self._ask("POST", "/window", {"handle": name})

    def close_tab(self, then: str) -> None:
        """Close this tab, and go on in another."""
        self._ask("DELETE", "/window", None)
        self.to_tab(then)

    def cookies(self) -> dict[str, dict[str, Any]]:
        """Every cookie of the profile, by name."""
        found = self.cdp("Network.getAllCookies", {})["cookies"]
        return {each["name"]: each for each in found}

    def forget(self) -> None:
        """Have no cookie any more."""
        self.cdp("Network.clearBrowserCookies", {})

    def run(self, script: str, *args: Any) -> Any:
        """What a function body returns in the page; promises are awaited."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(args)})

    def press(self, *keys: str) -> None:
        """Press and release keys, on whatever has the focus; names of KEYS, or characters."""
        actions = [
            {"type": kind, "value": KEYS.get(key, key)}
            for key in keys
            for kind in ("keyDown", "keyUp")
        ]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def click(self, selector: str) -> None:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        self._ask("POST", f"/element/{found[ELEMENT]}/click", {})

    def text(self, selector: str) -> str:
        """What a person sees of the first element that matches; empty if none does."""
        return str(
            self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        )

    def size(self, width: int, height: int, scale: float = 1) -> None:
        """The viewport, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.cdp("Emulation.setDeviceMetricsOverride", metrics)

    def media(self, **features: str) -> None:
        """Media features, with `_` for `-`: prefers_color_scheme="dark"."""
        named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
        self.cdp("Emulation.setEmulatedMedia", {"features": named})

    def cdp(self, method: str, params: Mapping[str, Any]) -> Any:
        return self._ask("POST", "/goog/cdp/execute", {"cmd": method, "params": params})

    def log(self) -> list[dict[str, Any]]:
        """What the console got since the last time: also violations of CSP, failed loads."""
        entries: list[dict[str, Any]] = self._ask("POST", "/se/log", {"type": "browser"})
        return entries

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        shot = self.cdp("Page.captureScreenshot", {"captureBeyondViewport": whole})
        file.write_bytes(base64.b64decode(shot["data"]))

    def quit(self) -> None:
        self._ask("DELETE", "", None)
        self._connection.close()

    def _ask(self, method: str, path: str, body: Any) -> Any:
        content = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json"} if content else {}
        self._connection.request(method, self._root + path, content, headers)
        value = json.loads(self._connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise AssertionError(f"{value['error']}: {value['message']}")
        return value


def until(condition: Callable[[], Any], what: str, within: float = 10.0) -> Any:
    """Ask again and again until the answer is true; AssertionError after `within` seconds."""
    ends = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < ends, f"not within {within:g} s: {what}"
        time.sleep(0.02)
    return value


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """A browser with a fresh profile; ends it and its driver."""
    driver, binary = shutil.which("chromedriver"), shutil.which("chromium")
    assert driver, "chromedriver is missing: .ci/bootstrap packages (Debian's chromium-driver)"
    assert binary, "chromium is missing: .ci/bootstrap packages (Debian's chromium)"
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bff-chromium-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(  # noqa: S603 - Debian's own program, fixed arguments
            [driver, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: _listens(port), "chromedriver listens")
            browser = Browser(port, Path(profile), binary, flags)
            try:
                yield browser
            finally:
                browser.quit()
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0
