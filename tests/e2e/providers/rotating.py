"""A scripted provider on a socket: what it gives counts once, and tokens say whose they are.

An access token is `access:{who}:{sign-in}:{n}`, where n counts the refreshes of that sign-in. Of a
code or refresh token that is used again the sign-in ends (RFC 9700, sections 4.5 and 4.14.2).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from tests.auth.scripted_provider import Asked, ScriptedProvider

LASTS: Final = 300
_PATIENCE: Final = 30.0


@dataclass
class SignIn:
    """A sign-in at the provider, how often its tokens were refreshed, and whether they count.

    Args:
        number: -1 until its code is redeemed.
    """

    who: str
    nonce: str
    number: int = -1
    alive: bool = True


class RotatingProvider(ScriptedProvider):
    """Whoever comes is signed in as `who`, without a form.

    Args:
        first: seconds that the access token of a sign-in lasts; those of refreshes last longer.

    `refreshes` are the refresh tokens that were shown, in order. The next of them waits if there
    is an event in `holding`, until that is set, and then has a 503 and remains good.
    """

    def __init__(self, first: int = 0) -> None:
        super().__init__(time.time)
        self.who, self.first, self.think = "ada", first, 0.0
        self.sign_ins: list[SignIn] = []
        self.refreshes: list[str] = []
        self.holding: list[Event] = []
        self.replies = {"/token": self._granted, "/revoke": self._revoked}

    def begin(self, query: dict[str, str]) -> str:
        """Where a browser that comes to sign in is sent."""
        with self._lock:
            self.sign_ins.append(SignIn(self.who, query["nonce"]))
            code = len(self.sign_ins) - 1
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def _granted(self, asked: Asked) -> tuple[int, Any]:
        if asked.form["grant_type"] != "authorization_code":
            return self._refreshed(asked.form["refresh_token"])
        number = int(asked.form["code"])
        if not self._counts(number, -1):
            return 400, {"error": "invalid_grant"}
        sign_in = self.sign_ins[number]
        id_token = self.id_token(sub=sign_in.who, nonce=sign_in.nonce)
        return 200, {**self._tokens(number, 0, self.first), "id_token": id_token}

    def _refreshed(self, token: str) -> tuple[int, Any]:
        with self._lock:
            self.refreshes.append(token)
            held = self.holding.pop() if self.holding else None
        if held:
            held.wait(_PATIENCE)
            return 503, {}
        time.sleep(self.think)
        number, count = _parts(token)
        if not self._counts(number, count):
            return 400, {"error": "invalid_grant"}
        return 200, self._tokens(number, count + 1, LASTS)

    def _counts(self, number: int, count: int) -> bool:
        """Whether a code or refresh token counts, which it does once: the next one will then."""
        with self._lock:
            sign_in = self.sign_ins[number]
            sign_in.alive &= sign_in.number == count
            sign_in.number += sign_in.alive
            return sign_in.alive

    def _revoked(self, asked: Asked) -> tuple[int, Any]:
        number, count = _parts(asked.form["token"])
        with self._lock:
            sign_in = self.sign_ins[number]
            sign_in.alive &= sign_in.number != count  # another one is past being revoked
        return 200, {}

    def _tokens(self, number: int, count: int, lasts: int) -> dict[str, Any]:
        about = f"{self.sign_ins[number].who}:{number}:{count}"
        return {
            "access_token": f"access:{about}",
            "refresh_token": f"refresh:{about}",
            "token_type": "Bearer",
            "expires_in": lasts,
        }


def _parts(token: str) -> tuple[int, int]:
    """Of which sign-in a token is, and after how many refreshes."""
    _, _, number, count = token.split(":")
    return int(number), int(count)


@contextmanager
def listening(provider: RotatingProvider) -> Iterator[RotatingProvider]:
    """Have it answer at a port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            at = urlsplit(self.path)
            if at.path == "/authorize":
                where = provider.begin(dict(parse_qsl(at.query)))
                self._send(httpx.Response(303, headers={"Location": where}))
                return
            length = int(self.headers.get("Content-Length", "0"))
            url = provider.issuer + self.path
            request = httpx.Request(self.command, url, content=self.rfile.read(length))
            self._send(provider.answer(request))

        do_POST = do_GET  # noqa: N815 - the name http.server looks for

        def _send(self, reply: httpx.Response) -> None:
            self.send_response(reply.status_code)
            reply.headers["Content-Length"] = str(len(reply.content))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            with suppress(ConnectionError):  # who asked was killed
                self.end_headers()
                self.wfile.write(reply.content)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        provider.issuer = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()
