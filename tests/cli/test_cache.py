"""`bff cache`, against a running `bff serve`."""

import json
import os
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection

import pytest

from bff.dev.stubs.stub import StubReply, StubServices
from tests.ports import free_port
from tests.redis_server import until

ROOT = """\
version: 1
frontends: {web: {access: none}}
services: {users: {url: "${USERS_URL}"}}
"""
VIEW = 'get: /v/{id}\ncache: {ttl: 1h, tags: ["x:{params.id}"]}\ncall: {get: users:/of}\n'


@pytest.fixture
def served(tmp_path, environ):
    """The public and the management port of two workers, and what was asked of the service."""
    (tmp_path / "views").mkdir()
    (tmp_path / "bff.yaml").write_text(ROOT)
    (tmp_path / "views/page.yaml").write_text(VIEW)
    public, management = free_port(), free_port()
    asked = []
    with StubServices({"users": lambda _: asked.append(1) or StubReply.json(len(asked))}) as stubs:
        words = ["serve", "--config", str(tmp_path), "--bind", f"127.0.0.1:{public}"]
        words += ["--management-bind", f"127.0.0.1:{management}", "--workers", "2"]
        own = {**environ, "USERS_URL": stubs.urls["users"], "TMPDIR": str(tmp_path)}
        with subprocess.Popen([sys.executable, "-m", "bff.cli", *words], env=own) as process:  # noqa: S603
            try:
                until(lambda: get(public, "/livez")[0] == 200, within=30, every=0.05)
                yield public, management, asked
            finally:
                os.kill(process.pid, signal.SIGTERM)
                process.wait(20)
    assert not list(tmp_path.glob("bff-run-*")), "nothing of it is left behind"


def get(port, path):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        return reply.status, reply.read()
    except OSError:
        return 0, b""
    finally:
        connection.close()


def test_workers_share_what_is_kept_and_all_forget_it(served, bff):
    public, management, asked = served
    until(lambda: len({get(public, "/web/v/1")[1] for _ in range(10)}) == 1)
    before = len(asked)
    assert {get(public, "/web/v/1")[0] for _ in range(20)} == {200}
    assert len(asked) == before
    where = ("--management", f"127.0.0.1:{management}")
    done = bff("cache", "purge", "--tag", "x:1", *where)
    assert (done.returncode, done.stdout) == (0, "invalidated\n"), done.stderr
    assert {get(public, "/web/v/1")[1] for _ in range(20)} == {str(before + 1).encode()}
    assert len(asked) == before + 1, "one worker asked, the other found it"
    until(lambda: json.loads(bff("cache", "show", "--json", *where).stdout))
    assert "page at web" in bff("cache", "show", *where).stdout
    assert "memory: " in bff("cache", "stats", *where).stdout
    told = json.loads(bff("cache", "stats", "--json", *where).stdout)
    assert told["shared"]["store"] == "file"


def test_it_says_what_is_wrong(bff):
    with socket.socket() as held:  # bound, so that nobody else is there, and not listening
        held.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{held.getsockname()[1]}"
        done = bff("cache", "stats", "--management", nowhere)
    assert done.returncode == 1
    assert f"no answer from {nowhere}" in done.stderr
    assert bff("cache", "purge").returncode == 2
    assert bff("cache", "stats", "--management", "somewhere").returncode == 2


def test_explain_says_what_is_kept_and_for_whom(bff):
    told = bff("explain", "search", "--frontend", "web").stdout
    assert "cached: 30s, for everyone, stale 120s, stale_if_error 3600s, tags catalog" in told
    (plan,) = json.loads(bff("explain", "search", "--frontend", "web", "--json").stdout)
    assert plan["kept"]["for"] == "everyone"
    assert plan["calls"]["call"]["kept"] is None
