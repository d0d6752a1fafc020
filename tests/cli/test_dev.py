"""`bff dev`, really started: a configuration of one's own, with a provider to sign in at."""

import json
import os
from dataclasses import replace
from pathlib import Path
from threading import Lock

import pytest
from joserfc import jws

from bff.cli.local_app import LocalSetup, with_local_providers
from bff.declare.check import check
from bff.dev.stubs.stub import StubReply, StubServices
from tests.cli.test_demo import family, started, until


@pytest.fixture
def config(tmp_path):
    """One view of one service, which wants the token of who asks."""
    folder = tmp_path / "config"
    (folder / "views").mkdir(parents=True)
    (folder / "bff.yaml").write_text(
        """
version: 1
hosts: [tickets.example]
frontends: {web: {access: session, origins: ["https://tickets.example"]}}
providers:
  work: {issuer: "https://id.example", client_id: tickets, auth: private_key_jwt,
         private_key: "${TICKETS_KEY}", claims: [name]}
services:
  tickets: {url: "${TICKETS_URL}", credentials: session}
"""
    )
    (folder / "views/mine.yaml").write_text(
        'get: /mine\nfrontends: [web]\ncall: {get: "tickets:/of/{session.sub}"}\n'
    )
    return folder


@pytest.fixture
def tickets():
    """The service, and the tokens that it was asked with."""
    seen, lock = [], Lock()

    def answer(request):
        with lock:
            seen.append(request.header("Authorization"))
        return StubReply.json({"path": request.path})

    with StubServices({"tickets": answer}) as services:
        yield services.urls["tickets"], seen


def claims(token):
    return json.loads(jws.extract_compact(token.removeprefix("Bearer ").encode()).payload)


def test_it_stands_in_for_the_provider_and_asks_the_declared_services(
    environ, repository, port, tmp_path, config, tickets
):
    url, seen = tickets
    key = "-----BEGIN PRIVATE KEY-----\nnot of this machine\n-----END PRIVATE KEY-----"
    told = {**environ, "TICKETS_URL": url, "TICKETS_KEY": key}
    words = ("dev", "--config", str(config), "--as", "grace", "--token-life", "2")
    with started(told, repository, port, tmp_path, *words) as dev:
        assert dev.ask("/web/mine")[0] == 401
        status, _, body = dev.shown("/web/mine")
        assert (status, json.loads(body)) == (200, {"path": "/of/grace"})
        assert dev.person.session()["claims"] == {"name": "Grace Hopper"}
        first = claims(seen[0])
        assert (first["sub"], first["client_id"]) == ("grace", "tickets")
        assert first["exp"] - first["iat"] == 2

        def refreshed():
            assert dev.shown("/web/mine")[0] == 200
            return seen[-1] != seen[0]

        until("a refreshed token", refreshed, 10)
        assert b"Your views" in dev.ask("/demo/page.js")[2]
        views = json.loads(dev.ask("/demo/views")[2])
        assert (views["shop"], views["stubs"], views["providers"]) == (False, False, ["work"])
        assert len(family(dev.process.pid)) >= 3, "the provider, gunicorn, its worker"


def test_nobody_but_local_providers_says_who_people_are(repository):
    local = LocalSetup(8080, {"shop": 9}, {"shop": "shop"}, "a secret")
    before = check(repository / "config", {"SESSION_STORE": "rediss://far.example:6379/0",
                                           "SESSION_SECRET": "s" * 32})  # fmt: skip
    config = with_local_providers(before, local).config
    assert config.providers["shop"].issuer == "http://127.0.0.1:9"
    assert config.issuers["shop"].issuer == "http://127.0.0.1:9"
    assert (config.session.store, config.session.secrets) == ("", ())
    elsewhere = replace(
        before.config.issuers["shop"], issuer="https://another.example", jwks="https://a.example"
    )
    other = replace(before, config=replace(before.config, issuers={"other": elsewhere}))
    assert with_local_providers(other, local).config.issuers == {}


def test_with_stubs_the_recordings_answer(environ, repository, port, tmp_path):
    with started(environ, repository, port, tmp_path, "dev", "--stubs", "--as", "ada") as dev:
        status, headers, _ = dev.shown("/mobile/home")
        assert status == 200
        assert headers["BFF-Calls"] == "user=ok, unread=ok, orders=ok"


def test_nobody_can_be_signed_in_without_a_provider(bff, config, port):
    text = (config / "bff.yaml").read_text()
    start, end = text.index("providers:"), text.index("services:")
    (config / "bff.yaml").write_text(
        text[:start]
        + text[end:].replace(", credentials: session", "").replace(", access: session", "")
    )
    done = bff(
        "dev", "--config", str(config), "--as", "ada", "--port", str(port), TICKETS_URL="http://h"
    )
    assert done.returncode == 2, done.stderr
    assert "`providers` is empty" in done.stderr


def test_only_the_accounts_that_there_are(bff):
    from bff.cli.local import ACCOUNTS
    from bff.dev.provider import values as idp_values

    assert tuple(idp_values.ACCOUNTS) == ACCOUNTS
    for command in ("dev", "demo"):
        done = bff(command, "--as", "mallory")
        assert done.returncode == 2
        assert "'ada', 'grace'" in done.stderr


def test_recordings_answer_inside_the_app(environ, repository, port, tmp_path):
    with started(environ, repository, port, tmp_path, "dev", "--replay", "--as", "ada") as dev:
        assert dev.shown("/mobile/home")[0] == 200
        status, _, body = dev.shown("/web/search?q=zzz")
        assert status == 501
        assert "asked q=zzz" in body.decode()
    assert "config/views/search.yaml:" in (tmp_path / "out").read_text()


def test_faults_are_played_inside_the_app_and_what_nobody_asked_for_is_listed(
    environ, repository, port, tmp_path
):
    words = ("--as", "ada", "--fault", "orders=truncated", "--fault", "notifications=slow")
    with started(environ, repository, port, tmp_path, "dev", "--replay", *words) as dev:
        before = json.loads(dev.ask("/demo/unused")[2])
        status, headers, _ = dev.shown("/mobile/home")
        assert status == 200
        calls = headers["BFF-Calls"]
        assert "orders=fallback;reason=unreachable" in calls
        assert "unread=fallback;reason=timeout" in calls
        after = json.loads(dev.ask("/demo/unused")[2])
        assert len(before["users"]) == len(after["users"]) + 1
        assert not any("GET /users/ada" in each for each in after["users"])
    said = (tmp_path / "out").read_text()
    assert "users: 6 of 7 entries unused" in said
    assert "GET /users/grace" in said


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--replay", "--fault", "order=slow"], "a recorded service and one of reset"),
        (["--stubs", "--fault", "order=slow"], "a recorded service and one of reset"),
        (["--fault", "orders=slow"], "needs services from recordings"),
    ],
)
def test_a_fault_that_cannot_be_played_is_refused(bff, port, words, complaint):
    done = bff("dev", *words, "--port", str(port))
    assert done.returncode == 2, done.stderr
    assert complaint in done.stderr


def test_a_replay_without_recordings_is_refused(bff, config, port):
    done = bff("dev", "--config", str(config), "--replay", "--port", str(port))
    assert done.returncode == 2
    assert "no .har file in this folder" in done.stderr


def spent(dev):
    """The seconds of processors that it has used (proc(5): utime and stime)."""
    stats = [Path(f"/proc/{pid}/stat").read_text() for pid in family(dev.process.pid)]
    ticks = sum(sum(map(int, each.rpartition(")")[2].split()[11:13])) for each in stats)
    return ticks / os.sysconf("SC_CLK_TCK")


def test_an_edit_is_served_within_a_second_and_a_mistake_is_shown(
    environ, repository, port, tmp_path, config, tickets
):
    key = "-----BEGIN PRIVATE KEY-----\nnot of this machine\n-----END PRIVATE KEY-----"
    told = {**environ, "TICKETS_URL": tickets[0], "TICKETS_KEY": key}
    view = config / "views/mine.yaml"
    with started(told, repository, port, tmp_path, "dev", "--config", str(config)) as dev:
        assert dev.ask("/web/mine")[0] == 401
        good = view.read_text()
        view.write_text(good.replace("/mine", "/yours", 1))
        begun = spent(dev)
        assert dev.ask("/web/yours")[0] == 401
        assert spent(dev) - begun < 1, "of its own: the machine may be busy"
        view.write_text(good.replace("get: ", "gt: ", 1))
        status, _, body = dev.ask("/web/yours")
        assert status == 500
        assert "mine.yaml:1:1" in body.decode()
        until("the terminal", lambda: b"mine.yaml:1:1" in (tmp_path / "out").read_bytes(), 5)
        view.write_text(good)
        assert dev.ask("/web/mine")[0] == 401
    assert b"reloaded in" in (tmp_path / "out").read_bytes()


def test_whoever_records_may_sign_in_at_the_declared_provider(repository):
    local = LocalSetup(8080, {}, {}, "a secret", declared=True)
    before = check(repository / "config", {"SESSION_STORE": "rediss://far.example:6379/0",
                                           "SESSION_SECRET": "s" * 32})  # fmt: skip
    config = with_local_providers(before, local).config
    assert config.providers == before.config.providers
    assert (config.session.store, config.session.secrets) == ("", ())
    assert "127.0.0.1" in config.hosts
