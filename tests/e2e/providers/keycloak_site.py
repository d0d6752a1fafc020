"""The app with Keycloak as its provider, and services that take what Keycloak says is good."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Final
from urllib.parse import urlsplit

import httpx

from bff.dev.stubs.stub import StubReply, StubRequest, StubServices
from tests.e2e.browser import until
from tests.e2e.providers.foreign import Users
from tests.e2e.providers.keycloak import Keycloak
from tests.e2e.providers.keycloak_realm import CLIENT, MFA, Realm, claims_of
from tests.e2e.serving import Served, Visitor, served
from tests.ports import free_port

ACCOUNTS: Final = ("ada", "admin")
TOKEN_SECONDS: Final = 5  # as realm.json has it

_LATEST: Final = 30.0  # seconds that something may take on a machine that is busy
_CONFIG: Final = """
frontends: {{web: {{access: session}}, mobile: {{access: bearer}}}}
session: {{secrets: ["${{SESSION_SECRET}}"]}}
services:
  users: {{url: "{users}", timeout: 10s, credentials: session}}
  echo: {{url: "{echo}", timeout: 10s, credentials: session}}
  orders: {{url: "{orders}", timeout: 10s, credentials: exchange}}
  stock: {{url: "{stock}", timeout: 10s, credentials: {{exchange: {{audience: mobile}}}}}}
providers:
  main:
    issuer: "{issuer}"
    client_id: {client}
    client_secret: "${{file:{folder}/client-secret}}"
    scopes: [openid, email]
    claims: [email, acr, realm_access, resource_access]
issuers:
  main: {{issuer: "{issuer}", audience: {client}, claims: [realm_access, resource_access]}}
"""
_VIEWS: Final = {
    "me": "get: /me\nfrontends: [web]\ntimeout: 20s\ncall: {get: 'users:/me'}\n",
    "echo": "get: /echo\nfrontends: [web]\ntimeout: 20s\ncall: {get: 'echo:/'}\n",
    "orders": "get: /orders\ntimeout: 20s\ncall: {get: 'orders:/orders'}\n",
    "stock": "get: /stock\ntimeout: 20s\ncall: {get: 'stock:/stock'}\n",
    "audit": (
        "get: /audit\ntimeout: 20s\ncall: {get: 'orders:/audit'}\n"
        "require: {claims: {realm_access.roles: [auditor]}}\n"
    ),
    "support": (
        "get: /support\ntimeout: 20s\ncall: {get: 'orders:/support'}\n"
        f"require: {{claims: {{'resource_access.{CLIENT}.roles': [support]}}}}\n"
    ),
    "transfer": (
        "get: /transfer\nfrontends: [web]\ntimeout: 20s\ncall: {get: 'echo:/'}\n"
        f"require: {{claims: {{acr: ['{MFA}']}}}}\n"
    ),
}


@dataclass(frozen=True)
class Site:
    """The app and its realm.

    Args:
        url: the app's origin, as browsers know it.
    """

    app: Served
    realm: Realm
    url: str

    @property
    def issuer(self) -> str:
        return self.realm.issuer

    def form(self, visitor: Visitor, path: str = "/auth/login") -> httpx.Response:
        """The form of Keycloak that a sign-in leads to."""
        joint = "&" if "?" in path else "?"
        form = visitor.go(f"{path}{joint}return_to=/livez")
        assert str(form.url).startswith(f"{self.issuer}/"), form.text
        return form

    def sign_in(self, visitor: Visitor, who: str = "ada", path: str = "/auth/login") -> None:
        """Fill the form in, and come back."""
        is_back(visitor.submit(self.form(visitor, path), username=who, password=who))

    def bearer(self, path: str, token: str) -> httpx.Response:
        """What the mobile app is answered."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"{self.app.url}{path}", headers=headers, timeout=60, trust_env=False)


class Introspecting:
    """A service that asks Keycloak what a token is, as the client that the token must be for."""

    def __init__(self, realm: Realm, client: str) -> None:
        self._realm, self._client = realm, client
        self._http = httpx.Client(timeout=60, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __call__(self, request: StubRequest) -> StubReply:
        token = (request.header("Authorization") or "").removeprefix("Bearer ")
        url = f"{self._realm.issuer}/protocol/openid-connect/token/introspect"
        proof = (self._client, self._realm.secret)
        found = self._http.post(url, data={"token": token}, auth=proof).json()
        if not found["active"]:
            return StubReply.problem(401, "Keycloak does not know this token")
        return StubReply.json({**found, "token": token})


def _echo(request: StubRequest) -> StubReply:
    return StubReply.json({"token": request.header("Authorization") or ""})


@contextmanager
def site_at(keycloak: Keycloak, folder: Path, name: str, origin: str = "") -> Iterator[Site]:
    """Run the app in two processes, with a realm of its own.

    Args:
        name: of the realm, to begin with.
        origin: where browsers find the app, if that is not where it listens.
    """
    port, secret = free_port(), token_urlsafe(32)
    listens = f"http://127.0.0.1:{port}"
    url = origin or listens
    (folder / "client-secret").write_text(secret)
    with ExitStack() as stack:
        # another process of the tests may run the same ones
        realm = keycloak.realm(f"{name}-{token_hex(4)}", url, listens, secret)
        stack.callback(realm.close)
        users = Users(f"{realm.issuer}/protocol/openid-connect/userinfo")
        orders = Introspecting(realm, "orders")
        stack.callback(orders.close)
        services = {"users": users, "echo": _echo, "orders": orders, "stock": orders}
        stubs = stack.enter_context(StubServices(services))
        config = _CONFIG.format(issuer=realm.issuer, client=CLIENT, folder=folder, **stubs.urls)
        hosts = tuple({"127.0.0.1", str(urlsplit(url).hostname)})
        app = served(folder / "app", config, _VIEWS, workers=2, port=port, hosts=hosts)
        yield Site(stack.enter_context(app), realm, url)


def is_back(page: httpx.Response) -> None:
    """Check that a sign-in has led to where it was begun for."""
    assert (page.status_code, urlsplit(str(page.url)).path) == (200, "/livez"), page.text


def is_signed_in(visitor: Visitor) -> bool:
    return bool(visitor.ask("/auth/session").json()["authenticated"])


def token_of(visitor: Visitor) -> str:
    """The token that a service is called with just now."""
    me = visitor.ask("/web/echo")
    assert me.status_code == 200, me.text
    return str(me.json()["token"])


def refreshed(visitor: Visitor) -> str:
    """The token after that which there is; the view is answered all the time."""
    first, seen = token_of(visitor), [""]

    def another() -> bool:
        seen[0] = token_of(visitor)
        return seen[0] != first

    until(another, "a token that is another", within=_LATEST)
    return seen[0]


def has_ended(token: str) -> None:
    """Wait until a token has."""
    ended = claims_of(token)["exp"] + 1  # the app counts from a fraction of a second
    until(lambda: time.time() > ended, "the token has ended", within=_LATEST)


def ends(visitor: Visitor) -> None:
    """Check that its session is over, at the latest when its token has to be refreshed."""

    def over() -> bool:
        return visitor.ask("/web/me").status_code == 401 and not is_signed_in(visitor)

    until(over, "the session is over", within=_LATEST)
