"""Somebody who asks a running app by HTTP, and keeps cookies and follows redirects as a browser."""

import json
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener


class Person:
    """Asks `url`, with the header that a page of its own would send."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.jar = CookieJar()
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.jar))

    def ask(
        self, path: str, method: str = "GET", body: Any = None, **headers: str
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of what all redirects lead to."""
        content = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"X-CSRF": "1", **({"Content-Type": "application/json"} if content else {}), **named}
        request = Request(self.url + path, content, sent, method=method)  # noqa: S310
        try:
            with self._opener.open(request, timeout=10) as reply:
                return reply.status, dict(reply.headers.items()), reply.read()
        except HTTPError as error:
            with error:
                return error.code, dict(error.headers.items()), error.read()

    def sign_in(self) -> "Person":
        """Sign in where the provider asks nobody who they are."""
        status, _, body = self.ask("/auth/login?return_to=/livez")
        assert (status, self.session()["authenticated"]) == (200, True), body
        return self

    def session(self) -> dict[str, Any]:
        """What the app says of it."""
        return dict(json.loads(self.ask("/auth/session")[2]))
