"""`bff serve` refuses a provider that lets anybody in: at the start, and at whatever time after."""

import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from bff.auth.oidc.development import refuse_development
from bff.auth.oidc.http import Http
from bff.auth.oidc.provider import OpenIdProvider
from bff.dev.provider.app import LocalProvider
from bff.dev.provider.values import RegisteredClient
from bff.errors import ConfigError, ProviderAway
from bff.model.access import Issuer, Provider
from bff.model.source import Place
from tests.auth.scripted_provider import at_once
from tests.ports import free_port

CONFIG = """version: 1
hosts: [127.0.0.1]
frontends:
  web: {{access: session}}
  mobile: {{access: [bearer]}}
providers:
  shop: {{issuer: "{provider}", client_id: shop}}
issuers:
  shop: {{issuer: "{issuer}", audience: shop}}
services:
  users: {{url: "http://127.0.0.1:9"}}
"""
REAL = "https://id.shop.example"


@pytest.fixture(scope="module")
def local():
    with LocalProvider(
        [RegisteredClient("shop", "", ("http://127.0.0.1/auth/callback",))]
    ) as provider:
        yield provider.issuer


@pytest.fixture
def serve(bff, tmp_path):
    """Run `bff serve`; it ends with 1 where gunicorn would go on to open its sockets."""

    def run(provider, issuer, more="", **environ):
        (tmp_path / "bff.yaml").write_text(CONFIG.format(provider=provider, issuer=issuer) + more)
        ends = {"GUNICORN_CMD_ARGS": f"--pid {tmp_path}/nowhere/pid"}
        return bff("serve", "--config", str(tmp_path), **ends, **environ)

    return run


def test_a_provider_for_development_ends_the_start_with_2_before_a_socket_is_opened(serve, local):
    done = serve(local, local)
    assert done.returncode == 2
    for line in (7, 9):  # to sign in at, and to take bearer tokens of
        assert f"bff.yaml:{line}" in done.stderr
    assert f"error: {local} is for development: it asks for no password" in done.stderr
    assert "hint: use it with `bff dev`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_provider_that_is_away_keeps_nobody_from_starting(serve):
    away = f"http://127.0.0.1:{free_port()}"
    done = serve(away, REAL)
    assert done.returncode == 1
    assert "Can't create pidfile" in done.stderr
    assert "error" not in done.stderr


RANDOM = "kQ3v9ZtX7pLw2RfB8mNc5YhJ4sGd6TaE"
SESSION = 'session: {secrets: ["%s"]}\n'


@pytest.mark.parametrize(
    ("more", "given", "place", "reason"),
    [
        (SESSION % RANDOM, {}, "bff.yaml:12:21", "is in this file"),
        (SESSION % f"${{S:-{RANDOM}}}", {}, "bff.yaml:12:21", "is the default in this file"),
        (SESSION % "${S}", {"S": "change-me" * 4}, "bff.yaml:12:21", "looks like a placeholder"),
        (SESSION % "${S}", {"S": RANDOM[:31]}, "bff.yaml:12:10", "at least 32 characters"),
        ("", {"FLASK_DEBUG": "1"}, "environment", "FLASK_DEBUG is set"),
        (
            "",
            {"FORWARDED_ALLOW_IPS": "*"},
            "environment",
            "every client could forge X-Forwarded headers",
        ),
        ("", {"BFF_LOCAL": "{}"}, "environment", "BFF_LOCAL is set"),
    ],
)
def test_what_is_unsafe_ends_the_start_with_its_place_and_reason(serve, more, given, place, reason):
    done = serve(REAL, REAL, more, **given)
    assert done.returncode == 2
    assert f"{place}" in done.stderr
    assert f"{reason}" in done.stderr
    assert ": error: " in done.stderr
    assert RANDOM[:31] not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("issuer", "origin", "reason"),
    [
        ("http://id.shop.example", "https://shop.example", "is not https"),
        (REAL, "*", "exact origin"),
        (REAL, "https://*.shop.example", "exact origin"),
        (REAL, "http://shop.example", "is not https"),
    ],
)
def test_addresses_that_are_anybodys_end_the_start(serve, tmp_path, bff, issuer, origin, reason):
    serve(issuer, REAL)
    text = (tmp_path / "bff.yaml").read_text()
    origins = f"{{access: session, origins: ['{origin}']}}"
    (tmp_path / "bff.yaml").write_text(text.replace("{access: session}", origins))
    done = bff("serve", "--config", str(tmp_path))
    assert done.returncode == 2
    assert reason in done.stderr


def test_a_key_that_cannot_sign_ends_the_start(serve, tmp_path, bff):
    serve(REAL, REAL)
    text = (tmp_path / "bff.yaml").read_text()
    with_key = text.replace("client_id: shop", "client_id: shop, private_key: '${KEY}'")
    (tmp_path / "bff.yaml").write_text(with_key)
    key = "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----"
    done = bff("serve", "--config", str(tmp_path), KEY=key)
    assert done.returncode == 2
    assert "bff.yaml:7:9: error: the private key of `shop` cannot be used" in done.stderr


def test_what_is_random_is_served(serve):
    assert serve(REAL, REAL, SESSION % "${S}", S=RANDOM).returncode == 1


@contextmanager
def publishing(metadata):
    """A provider of another make that publishes this, or nothing at all: its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if metadata is None:
                return released.wait(10)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(orjson.dumps({"issuer": issuer, **metadata}))
            return None

        def log_message(self, *_):
            pass

    released = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            released.set()
            server.shutdown()
            thread.join()


def provider(issuer):
    return Provider("shop", Place("bff.yaml", 7), issuer, "shop")


@pytest.mark.parametrize("metadata", [{}, {"bff_development": False}, {"bff_development": "true"}])
def test_another_provider_of_this_machine_is_none_for_development(metadata):
    with publishing(metadata) as issuer:
        refuse_development([provider(issuer)])
    with publishing({"bff_development": True}) as issuer, pytest.raises(ConfigError):
        refuse_development([provider(issuer)])


def test_a_provider_that_does_not_answer_holds_the_start_up_for_as_long_as_that_once():
    with publishing(None) as issuer:
        begun = time.monotonic()
        refuse_development([provider(issuer), provider(issuer)], timeout=0.2)
        assert 0.2 <= time.monotonic() - begun < 2


def test_every_one_of_them_is_told_and_nobody_else_is_asked(local):
    shop = Issuer("shop", Place("bff.yaml", 9), local, ("shop",))
    with pytest.raises(ConfigError) as caught:
        refuse_development([provider(local), provider(REAL), shop])
    assert [each.place.line for each in caught.value.problems] == [7, 9]


def test_no_thread_is_left_to_be_forked(local):
    before = threading.active_count()
    with pytest.raises(ConfigError):
        refuse_development([provider(local)])
    ends = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < ends, threading.enumerate()


def test_one_that_was_away_at_the_start_is_refused_when_somebody_signs_in(local):
    http = Http()
    try:
        with pytest.raises(ProviderAway, match="is for development"):
            OpenIdProvider(provider(local), http, time.time, at_once).prepare()
        OpenIdProvider(provider(local), http, time.time, at_once, development=True).prepare()
    finally:
        http.close()
