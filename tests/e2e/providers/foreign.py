"""OpenID providers that this project did not write, and the app with one of them.

Each runs in a process of its own. The service behind the app takes a token only if the provider
that it is from does.
"""

import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from bff.dev.stubs.stub import StubReply, StubRequest, StubServices
from tests.e2e.serving import ROOT, Served, running, served

ACCOUNTS: Final = ({"sub": "ada", "email": "ada@example.org"}, {"sub": "grace"})
_CONFIG: Final = """
frontends: {{web: {{access: session}}}}
session: {{secrets: ["${{SESSION_SECRET}}"]}}
services: {{users: {{url: "{users}", timeout: 5s, credentials: session}}}}
providers:
  main: {provider}
"""
_ME: Final = """
get: /me
timeout: 10s
call: {get: "users:/me"}
"""
_INSTALLED: Final = ROOT / "build/npm/node_modules"


@contextmanager
def from_pypi(folder: Path, port: int, token_seconds: int) -> Iterator[str]:
    """Run oidc-provider-mock, to which clients have to register; its issuer."""
    issuer = f"http://127.0.0.1:{port}"
    words = ["-m", "oidc_provider_mock", "--port", str(port), "--require-registration", "true"]
    words += ["--token-max-age", str(token_seconds)]
    words += [word for each in ACCOUNTS for word in ("--user-claims", json.dumps(each))]
    log = folder / "provider.log"
    with running([sys.executable, *words], log, f"{issuer}/.well-known/openid-configuration"):
        yield issuer


@dataclass(frozen=True, slots=True)
class FromNpm:
    """A running oidc-provider."""

    issuer: str
    log: Path

    @property
    def granted(self) -> list[dict[str, Any]]:
        """What its token endpoint has answered, in order."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextmanager
def from_npm(folder: Path, port: int, client: Mapping[str, Any]) -> Iterator[FromNpm]:
    """Run oidc-provider with one client, of the metadata that is given."""
    assert _INSTALLED.is_dir(), "oidc-provider is not installed: `make test-all` does that"
    node = shutil.which("node")
    assert node, "node is not installed: `make test-all` does that"
    shutil.copy(Path(__file__).with_name("provider.mjs"), folder)
    (folder / "node_modules").symlink_to(_INSTALLED)  # where the script looks
    issuer, log = f"http://127.0.0.1:{port}", folder / "provider.log"
    command = [node, str(folder / "provider.mjs"), str(port), json.dumps(client)]
    with running(command, log, f"{issuer}/.well-known/openid-configuration"):
        yield FromNpm(issuer, log)


class Users:
    """A service that knows of a person what the provider tells it for their token."""

    def __init__(self, userinfo: str) -> None:
        self._userinfo = userinfo

    def __call__(self, request: StubRequest) -> StubReply:
        token = request.header("Authorization") or ""
        told = httpx.get(self._userinfo, headers={"Authorization": token})
        if told.status_code != httpx.codes.OK:
            return StubReply.problem(401, "The provider does not know this token")
        return StubReply.json({**told.json(), "token": token})


@contextmanager
def app_before(folder: Path, port: int, userinfo: str, provider: str) -> Iterator[Served]:
    """Run the app, with `/web/me` for what `Users` says.

    Args:
        userinfo: the address at the provider.
        provider: how it is declared.
    """
    with StubServices({"users": Users(userinfo)}) as stubs:
        config = _CONFIG.format(users=stubs.urls["users"], provider=provider)
        with served(folder / "app", config, {"me": _ME}, workers=2, port=port) as app:
            yield app
