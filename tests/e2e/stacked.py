"""The stack of compose.yaml as processes, on free ports, and people in front of it."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urljoin

import httpx

from stack.run import Running, Stack
from tests.e2e.browser import until

COOKIE: Final = "__Host-Http-bff"
PATIENCE: Final = 30.0
APPS: Final = ("app-1", "app-2")


class _Form(HTMLParser):
    """Where the form of a page is sent to, and what is hidden in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action, self.fields = "", dict[str, str]()  # no action is the page's own address
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.action:
            self.action = given.get("action", "")
        elif tag == "input" and given.get("type") == "hidden":
            self.fields.setdefault(given["name"], given.get("value", ""))


@dataclass(frozen=True)
class Site:
    """A running stack."""

    stack: Stack
    url: str
    issuer: str
    trust: ssl.SSLContext

    def person(self, who: str = "ada") -> "Person":
        """Somebody who has signed in, with a browser of their own."""
        person = Person(self)
        try:
            person.sign_in(who)
        except BaseException:
            person.close()
            raise
        return person

    def app(self, name: str) -> Running:
        return self.stack.parts[name]

    def direct(self, app: str, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """What one app answers, asked as nginx asks it."""
        given = {
            "Host": self.url.removeprefix("https://"),
            "X-Forwarded-Proto": "https",
            "X-CSRF": "1",
            "Origin": self.url,
        }
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"http://127.0.0.1:{self.stack.port(app, 8000)}{path}"
        return httpx.request(method, url, headers=given, timeout=PATIENCE, trust_env=False)

    def manage(self, app: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """What an app's management listener answers."""
        url = f"http://127.0.0.1:{self.stack.port(app, 9090)}{path}"
        return httpx.request(method, url, json=body, timeout=PATIENCE, trust_env=False)

    def answered_by(self, reply: httpx.Response) -> str:
        """The app whose log has the request."""
        wanted, found = reply.headers["X-Request-Id"], list[str]()

        def logged() -> bool:
            found[:] = [app for app in APPS if wanted in self.app(app).log.read_text()]
            return bool(found)

        until(logged, f"an app logs {wanted}")
        (app,) = found
        return app

    def granted(self, kind: str) -> int:
        """How many tokens of a kind of grant the provider has given."""
        return self.app("provider").log.read_text().count(f"token: {kind} 200")


class Person:
    """Somebody at the shop."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._client = httpx.Client(
            timeout=PATIENCE, follow_redirects=True, verify=site.trust, trust_env=False
        )

    def sign_in(self, who: str) -> None:
        form = self._go("/auth/login?return_to=/")
        assert str(form.url).startswith(self.site.issuer), form.text
        page = self._submit(form, sub=who)
        assert (page.status_code, page.url.path) == (200, "/"), page.text

    def ask(self, path: str, method: str = "GET") -> httpx.Response:
        """What a script of the shop's page is answered."""
        headers = {"X-CSRF": "1", "Origin": self.site.url, "Sec-Fetch-Site": "same-origin"}
        return self._client.request(method, self.site.url + path, headers=headers)

    def at(self, app: str, path: str, method: str = "GET") -> httpx.Response:
        """What one app answers to the same cookie."""
        return self.site.direct(app, path, method, Cookie=f"{COOKIE}={self.session}")

    @property
    def session(self) -> str:
        return str(self._client.cookies.get(COOKIE, ""))

    def close(self) -> None:
        self._client.close()

    def _go(self, where: str, form: dict[str, str] | None = None) -> httpx.Response:
        headers = {
            "Accept": "text/html",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        method = "GET" if form is None else "POST"
        url = urljoin(self.site.url, where)
        reply = self._client.request(method, url, data=form, headers=headers)
        onward = reply.headers.get("Refresh", "").partition("url=")[2]
        return self._go(urljoin(str(reply.url), onward)) if onward else reply

    def _submit(self, page: httpx.Response, **fields: str) -> httpx.Response:
        form = _Form(page.text)
        return self._go(urljoin(str(page.url), form.action), form.fields | fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def site_of(stack: Stack, state: Path) -> Site:
    """A stack that runs, as seen from outside."""
    trust = ssl.create_default_context(cafile=str(state / "volumes/certificates/ca.pem"))
    url = f"https://localhost:{stack.port('nginx', 8443)}"
    return Site(stack, url, f"https://127.0.0.1:{stack.port('provider', 8444)}", trust)


def outcomes(reply: httpx.Response) -> dict[str, str]:
    """What BFF-Calls says of each call."""
    calls = reply.headers["BFF-Calls"].replace(" ", "").split(",")
    return dict(each.split("=", 1) for each in calls)


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait for what takes a moment, but no longer than patience lasts."""
    until(condition, what, within=PATIENCE)
