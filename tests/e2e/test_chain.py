"""The whole chain as it is deployed: nginx as shipped, `bff serve`, and services over real HTTP."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path
from random import Random

import pytest

from bff.dev.recordings.answerer import read_latency, replay_all
from bff.dev.shop.recordings import shop_recordings
from bff.dev.stubs.stub import StubServices
from tests.ports import free_port
from tests.project.test_nginx import command, listening, render

ROOT = Path(__file__).parents[2]
Chain = tuple[int, StubServices, int]  # the ports of nginx and, last, of gunicorn itself
PUBLIC = ("/web/products/p-100042", "/mobile/products/p-100042", "/web/search?q=lamp")


def ask(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"Host": "shop.example", **headers})
        reply = connection.getresponse()
        found = {name.lower(): value for name, value in reply.getheaders()}
        return reply.status, found, reply.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The port of nginx, the services behind it all, and gunicorn's own port."""
    app, management, front = free_port(), free_port(), free_port()
    answerers = replay_all(shop_recordings(), read_latency("0ms", Random(1)))
    with ExitStack() as stack:
        stubs = stack.enter_context(StubServices(answerers, keep=True))
        environ = dict(os.environ) | {
            f"{name.upper()}_URL": url for name, url in stubs.urls.items()
        }
        words = ["serve", "--bind", f"127.0.0.1:{app}", "--workers", "2"]
        words += ["--management-bind", f"127.0.0.1:{management}"]
        served = [sys.executable, "-m", "bff.cli", *words]
        folder = render(
            ROOT,
            tmp_path_factory.mktemp("front") / "nginx",
            BFF_NGINX_LISTEN=front,
            BFF_NGINX_UPSTREAM=f"127.0.0.1:{app}",
        )
        for arguments in (served, command(folder)):
            process = subprocess.Popen(arguments, env=environ, cwd=ROOT)  # noqa: S603
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        end = time.monotonic() + 20
        while not (listening(front) and listening(app) and ask(app, "/readyz")[0] == 200):
            assert time.monotonic() < end, "the chain did not come up"
            time.sleep(0.05)
        yield front, stubs, app


@pytest.mark.parametrize("path", PUBLIC)
def test_public_views_are_answered_through_all_of_it(chain: Chain, path: str) -> None:
    status, headers, body = ask(chain[0], path)
    assert status == 200, body
    assert json.loads(body)
    assert set(headers["bff-calls"].replace(" ", "").split(",")) <= {
        f"{name}=ok"
        for name in ("product", "crumbs", "summary", "reviews", "similar", "cards", "call")
    }
    assert headers["x-request-id"]


def test_a_batch_is_answered_through_all_of_it(chain: tuple[int, StubServices]) -> None:
    paths = {"lamp": "/products/p-100042", "found": "/search?q=lamp", "home": "/home"}
    connection = HTTPConnection("127.0.0.1", chain[0], timeout=20)
    headers = {"Host": "shop.example", "Content-Type": "application/json"}
    connection.request("POST", "/mobile/_batch", json.dumps({"requests": paths}), headers)
    reply = connection.getresponse()
    parts = json.loads(reply.read())["responses"]
    connection.close()
    assert {name: each["status"] for name, each in parts.items()} == {
        "lamp": 200,
        "found": 200,
        "home": 401,
    }
    assert parts["lamp"]["body"] == json.loads(ask(chain[0], "/mobile/products/p-100042")[2])


def test_nobody_is_signed_in_and_no_service_hears_of_it(
    chain: Chain,
) -> None:
    front, stubs, _ = chain
    stubs.forget()
    status, headers, body = ask(front, "/web/home", Cookie="sid=x", Authorization="Bearer x")
    assert status == 401
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["id"] == headers["x-request-id"]
    assert not stubs.requests()


def test_bad_parameters_and_paths_reach_no_service(chain: Chain) -> None:
    front, stubs, _ = chain
    stubs.forget()
    for path, status in (
        ("/web/search?page=0&sort=odd", 400),
        ("/web/products/..%2f..%2fadmin", 400),  # no value of a path, and the client gave it
        ("/web/nothing", 404),
        ("/web/products/%2e%2e", 400),
    ):
        assert ask(front, path)[0] == status, path
    assert not stubs.requests()


def test_a_service_that_is_down_is_an_outcome(chain: Chain) -> None:
    front, stubs, _ = chain
    stubs.set("reviews", state="down")
    try:
        status, headers, _ = ask(front, "/web/products/p-100042")
    finally:
        stubs.set("reviews", state="up")
    assert status == 200
    assert "summary=fallback;reason=unreachable" in headers["bff-calls"]
    assert headers["cache-control"] == "no-store"


@pytest.mark.parametrize("server", ["nginx", "gunicorn"])
def test_a_header_under_another_spelling_is_another_header(chain: Chain, server: str) -> None:
    """WSGI writes `X-App` and `X_App` the same: one must not get that far (CVE-2025-64484)."""
    front, stubs, app = chain
    port = front if server == "nginx" else app

    def came(name: str, value: str) -> set[str | None]:
        stubs.forget()
        assert ask(port, "/web/products/p-100042", **{name: f"{value}-{server}"})[0] == 200
        return {each.header("x-app-version") for each in stubs.requests("recommendations")}

    assert came("X-App-Version", "1") == {f"1-{server}"}
    assert came("X_App_Version", "2") <= {None}
    assert came("X_App-Version", "3") <= {None}
