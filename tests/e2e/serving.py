"""The real app by `bff serve`, with a configuration of a test's own, and clients that ask it.

Every answer says which process gave it: a test that is about several processes can see to it that
several take part.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from secrets import token_urlsafe
from typing import Any, Final, Self
from urllib.parse import urljoin
from urllib.request import ProxyHandler, build_opener

import httpx

from tests.auth.scripted_provider import SECRET
from tests.e2e.browser import until
from tests.ports import free_port

ROOT: Final = Path(__file__).parents[2]
COOKIE: Final = "dev-bff"  # of plain http at loopback
_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]  # by lower-case name
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def worker(self) -> int:
        return int(self.headers["x-worker"])


@dataclass
class Line:
    """A connection that is kept, and so leads to the same process again and again."""

    port: int
    worker: int = 0
    _connection: HTTPConnection = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        self.worker = self.ask("/livez").worker

    def ask(
        self, path: str, session: str = "", method: str = "GET", body: Any = None, key: str = ""
    ) -> Answer:
        """What a script of the app's own page is answered."""
        headers = {"X-CSRF": "1"}
        headers |= {"Cookie": f"{COOKIE}={session}"} if session else {}
        headers |= {"Origin": f"http://127.0.0.1:{self.port}"} if method != "GET" else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Idempotency-Key": key} if key else {}
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, headers)
        reply = self._connection.getresponse()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        return Answer(reply.status, headers, reply.read())

    def close(self) -> None:
        self._connection.close()


class _Form(HTMLParser):
    """Where the first form of a page is sent to, and what it has hidden in it."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.hidden: dict[str, str] = {}
        self._forms = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._forms += 1
            if self._forms == 1:
                self.action = given.get("action", "")
        elif self._forms == 1 and given.get("type") == "hidden":
            self.hidden[given["name"]] = given.get("value", "")


class Visitor:
    """Somebody with a browser that keeps cookies, and goes where it is sent."""

    def __init__(self, url: str) -> None:
        self._url = url
        plain = {"verify": False, "trust_env": False}  # no TLS here: nothing to load for it
        self.visited: list[httpx.URL] = []
        self._client = httpx.Client(timeout=_PATIENCE, follow_redirects=True, **plain)
        self._client.event_hooks = {"response": [self._take_for_secure]}

    def _take_for_secure(self, _: httpx.Response) -> None:
        """Send Secure cookies to loopback too, as browsers do; Keycloak counts on it."""
        for cookie in self._client.cookies.jar:
            cookie.secure = False

    def go(self, where: str, form: dict[str, str] | None = None) -> httpx.Response:
        """Follow a link, or send a form, and go on to wherever that leads."""
        url = where if "://" in where else self._url + where
        headers = {
            "Accept": "text/html",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        method = "GET" if form is None else "POST"
        reply = self._client.request(method, url, data=form, headers=headers)
        self.visited += [each.url for each in (*reply.history, reply)]
        onward = reply.headers.get("Refresh", "").partition("url=")[2]
        return self.go(urljoin(str(reply.url), onward)) if onward else reply

    def submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        """Send the first form of a page, with these fields filled in."""
        form = _Form()
        form.feed(page.text)
        assert form.action is not None, page.text
        return self.go(urljoin(str(page.url), form.action), {**form.hidden, **fields})

    def ask(self, path: str, method: str = "GET") -> httpx.Response:
        """What a script of the app's own page is answered."""
        headers = {"X-CSRF": "1", "Origin": self._url, "Sec-Fetch-Site": "same-origin"}
        return self._client.request(method, self._url + path, headers=headers)

    @property
    def session(self) -> str:
        """The id that its cookie has; empty if there is none."""
        return str(self._client.cookies.get(COOKIE, ""))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


@dataclass(frozen=True, slots=True)
class Served:
    """A running app, and its master."""

    port: int
    workers: int
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def visitor(self) -> "Visitor":
        """Somebody with a browser of their own."""
        return Visitor(self.url)

    def reload(self) -> None:
        """Have it read its files again, and wait until every process is a new one."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        before = set(children.read_text().split())
        self.process.send_signal(signal.SIGHUP)
        until(
            lambda: (now := set(children.read_text().split())) and not now & before,
            "new processes",
            _PATIENCE,
        )

    @contextmanager
    def lines(self, each: int = 1) -> Iterator[dict[int, list[Line]]]:
        """So many connections to each of its processes, by process."""
        found: dict[int, list[Line]] = {}
        deadline = time.monotonic() + _PATIENCE
        try:
            while len(found) < self.workers or min(map(len, found.values())) < each:
                assert time.monotonic() < deadline, f"processes: {sorted(found)}"
                line = Line(self.port)
                own = found.setdefault(line.worker, [])
                if len(own) < each:
                    own.append(line)
                else:
                    line.close()
            yield found
        finally:
            for line in chain(*found.values()):
                line.close()


@contextmanager
def served(
    folder: Path,
    config: str,
    views: dict[str, str],
    workers: int,
    port: int = 0,
    relays: dict[str, str] | None = None,
    hosts: Sequence[str] = ("127.0.0.1",),
) -> Iterator[Served]:
    """Run it: `config` is what `bff.yaml` has besides version, hosts and limits.

    Args:
        folder: an empty one of the test's own.
        port: a free one if not said.
    """
    for name in ("views", "relays"):
        (folder / name).mkdir(parents=True)
    start = f"version: 1\nhosts: {json.dumps(hosts)}\nlimits: {{sign_in: 100000/minute}}\n"
    (folder / "bff.yaml").write_text(start + config)
    for name, text in views.items():
        (folder / f"views/{name}.yaml").write_text(text)
    for name, text in (relays or {}).items():
        (folder / f"relays/{name}.yaml").write_text(text)
    port = port or free_port()
    environ = {
        "BFF_CONFIG": str(folder),
        "BFF_BIND": f"127.0.0.1:{port}",
        "BFF_MANAGEMENT_BIND": f"127.0.0.1:{free_port()}",
        "BFF_WORKERS": str(workers),
        "BFF_STATE": str(folder / "state"),
        "BFF_THREADS": "16",
        "CLIENT_SECRET": SECRET,
        "SESSION_SECRET": token_urlsafe(32),
    }
    command = [sys.executable, "-m", "tests.e2e.workers_named"]
    with running(command, folder / "log", f"http://127.0.0.1:{port}/readyz", **environ) as process:
        yield Served(port, workers, process)


@contextmanager
def running(
    command: list[str],
    log: Path,
    url: str | Callable[[], str],
    patience: float = _PATIENCE,
    **environ: str,
) -> Iterator["subprocess.Popen[bytes]"]:
    """Have a process run, from when it answers 200 at `url`.

    Args:
        url: the address, or what finds it; empty as long as that is not known.
        patience: seconds that it may take to do so.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - ours, or one that we have locked
            command, cwd=ROOT, env=os.environ | environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        until(lambda: _answers(process, url, log), f"{command[:2]} answers", patience)
        yield process
    finally:
        process.send_signal(signal.SIGINT)  # of gunicorn too: at once
        try:
            process.wait(_PATIENCE)
        finally:
            process.kill()


def _answers(process: "subprocess.Popen[bytes]", where: str | Callable[[], str], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    url = where if isinstance(where, str) else where()
    if not url:
        return False
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=_PATIENCE) as reply:
            return bool(reply.status == HTTPStatus.OK)
    except OSError:
        return False
