"""Somebody with a browser, who notes every secret that passes by and every answer."""

import json
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from bff.auth.oidc.login_state import LoginStates
from bff.auth.session.sessions import Sessions, key_of
from bff.model.access import SessionRules
from bff.store.protocol import Store
from bff.store.seal import Seal
from tests.e2e.sinks.secret import Secrets

FORM: Final = "application/x-www-form-urlencoded"
SESSION: Final = "dev-bff"  # of plain http at loopback
_LOGIN: Final = "dev-bff-login-"
_NAVIGATION: Final = {
    "Accept": "text/html",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
}


@dataclass(frozen=True)
class Answer:
    asked: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """Asks the app at `port` as if it were at `host`."""

    def __init__(self, port: int, host: str, secrets: Secrets, seal: Seal, store: Store) -> None:
        self.port, self.host, self.secrets = port, host, secrets
        self.answers: list[Answer] = []
        self.refused = b""  # answers to what is no HTTP
        self.cookies: dict[str, str] = {}
        self._provider, self._cookie = 0, ""
        self._logins = LoginStates(store, seal, time.time)
        self._sessions = Sessions(store, seal, SessionRules(), time.time)

    def ask(
        self, path: str, method: str = "GET", body: str | None = None, **headers: str
    ) -> Answer:
        """One request, with all cookies; what it sets is kept."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Host": self.host, "X-CSRF": "1", "Origin": f"http://{self.host}"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if body is not None:
            sent["Content-Type"] = FORM
        answer = asked(self.port, method, path, body, sent | named)
        self.answers.append(answer)
        self._keep(answer)
        return answer

    def go(self, path: str) -> Answer:
        """A navigation."""
        return self.ask(path, **_NAVIGATION)

    def begin(self, provider: str = "shop") -> str:
        """Begin to sign in; where the browser is sent to."""
        answer = self.ask(f"/auth/login/{provider}?return_to=/livez")
        assert answer.status == 303, answer
        where = answer.header("Location")
        query = dict(parse_qsl(urlsplit(where).query))
        self.secrets.add("state", query["state"])
        self.secrets.add("nonce", query["nonce"])
        pending = self._logins.read(query["state"])
        assert pending is not None
        for name, value in self.cookies.items():
            key = value.partition(".")[2]
            if name.startswith(_LOGIN) and pending.is_of(key):
                self.secrets.add("login cookie", key)
                login = pending.login(query["state"], key, "")
                self.secrets.add("code verifier", login.verifier)
        return where

    def at_provider(self, where: str) -> str:
        """Be at the demo provider, which asks nobody; the way back."""
        parts = urlsplit(where)
        answer = asked(parts.port, "GET", f"{parts.path}?{parts.query}", None, {})
        self._provider, self._cookie = (
            parts.port or 0,
            answer.header("Set-Cookie").partition(";")[0],
        )
        self.secrets.add("provider's cookie", self._cookie.partition("=")[2])
        back = urlsplit(answer.header("Location"))
        self.secrets.add("authorization code", dict(parse_qsl(back.query))["code"])
        return f"{back.path}?{back.query}"

    @property
    def signed_in(self) -> bool:
        """Whether the app says so."""
        return bool(self.ask("/auth/session").json["authenticated"])

    def sign_out_at_provider(self) -> None:
        answer = asked(self._provider, "GET", "/oauth/end-session", None, {"Cookie": self._cookie})
        assert answer.status == 200, answer

    def callback(self, state_of: str, **query: str) -> str:
        """A way back that no provider has sent: with the state of where it was begun."""
        sent = dict(parse_qsl(urlsplit(state_of).query))
        path = urlsplit(sent["redirect_uri"]).path
        return f"{path}?{urlencode({'state': sent['state'], **query})}"

    def sign_in(self) -> "Visitor":
        answer = self.ask(self.at_provider(self.begin()))
        assert answer.status < 400, answer
        self.note_tokens()
        return self

    def note_tokens(self) -> Mapping[str, str]:
        """The session's id, and its tokens as the store has them."""
        given = self.secrets.add("session id", self.cookies[SESSION])
        kept = self._sessions.tokens(key_of(given))
        assert kept is not None
        return {
            "access": self.secrets.add("access token", kept.tokens.access),
            "refresh": self.secrets.add("refresh token", kept.tokens.refresh),
            "id": self.secrets.add("ID token", kept.tokens.id_token),
        }

    def raw(self, content: str) -> bytes:
        """Send what need not be HTTP, and hang up soon; what has come back until then."""
        got = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=0.1) as line:
            line.sendall(content.encode("latin-1"))
            with suppress(TimeoutError, ConnectionError):
                while chunk := line.recv(65536):
                    got += chunk
        return got

    def _keep(self, answer: Answer) -> None:
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                pair, _, attributes = value.partition(";")
                key, _, content = pair.partition("=")
                if "Max-Age=0" in attributes:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = content


def until(what: str, happens: Callable[[], Any], within: float = 20.0) -> None:
    """Poll until something is so."""
    deadline = time.monotonic() + within
    while not happens():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.02)


def asked(
    port: int | None, method: str, path: str, body: str | None, headers: Mapping[str, str]
) -> Answer:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, dict(headers))
        reply = connection.getresponse()
        return Answer(f"{method} {path}", reply.status, tuple(reply.getheaders()), reply.read())
    finally:
        connection.close()
