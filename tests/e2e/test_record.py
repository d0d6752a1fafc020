"""`bff record --declared-provider`: services get real tokens, and recordings have none of them."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bff.dev.stubs.stub import StubServices
from tests.e2e.browser import until
from tests.e2e.providers.foreign import Users, from_pypi
from tests.e2e.serving import Visitor, running
from tests.ports import free_port

ROOT_YAML = """
version: 1
hosts: [tickets.example]
frontends: {{web: {{access: session, origins: ["https://tickets.example"]}}}}
session: {{store: "rediss://far.example:6379/0", secrets: ["{secret}"]}}
services: {{users: {{url: "{users}", timeout: 5s, credentials: session}}}}
providers:
  main: {{issuer: "{issuer}", client_id: "{id}", client_secret: "{key}",
         scopes: [openid, email], claims: [email]}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A folder with one view, which asks a service with the token of who is signed in."""
    folder = tmp_path / "config"
    (folder / "views").mkdir(parents=True)
    (folder / "views/me.yaml").write_text('get: /me\ntimeout: 10s\ncall: {get: "users:/me"}\n')
    return folder


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[str]:
    with from_pypi(tmp_path, free_port(), 300) as issuer:
        yield issuer


def test_a_real_token_is_sent_and_none_is_written(
    tmp_path: Path, config: Path, provider: str
) -> None:
    port, out = free_port(), tmp_path / "out"
    wanted = {"redirect_uris": [f"http://127.0.0.1:{port}/auth/callback"]}
    client = httpx.post(f"{provider}/oauth2/clients", json=wanted).json()
    with StubServices({"users": Users(f"{provider}/userinfo")}) as stubs:
        known = {"id": client["client_id"], "key": client["client_secret"], "issuer": provider}
        root = ROOT_YAML.format(users=stubs.urls["users"], secret="s" * 40, **known)
        (config / "bff.yaml").write_text(root)
        words = ("record", "--declared-provider", "--config", str(config), "--port", str(port))
        command = [sys.executable, "-m", "bff.cli", *words]
        with running(command, out, f"http://127.0.0.1:{port}/readyz"):
            with Visitor(f"http://127.0.0.1:{port}") as visitor:
                form = visitor.go("/auth/login?return_to=/livez")
                assert str(form.url).startswith(f"{provider}/"), "it is theirs, not ours"
                visitor.submit(form, sub="ada")
                me = visitor.ask("/web/me")
                assert (me.status_code, me.json()["email"]) == (200, "ada@example.org")
                token = me.json()["token"].removeprefix("Bearer ")
            file = config / "recordings/users.har"
            until(file.is_file, "the recording")
    text = file.read_text()
    (entry,) = json.loads(text)["log"]["entries"]
    sent = {each["name"].lower(): each["value"] for each in entry["request"]["headers"]}
    assert re.fullmatch(r"Bearer redacted-[0-9a-f]{10}", sent["authorization"])
    body = json.loads(entry["response"]["content"]["text"])
    assert body["token"] == sent["authorization"], "what joins by it can still be joined"
    assert token not in text
    assert token not in out.read_text()
