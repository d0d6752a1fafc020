"""`bff serve` refuses a provider that lets anybody in: at the start, and at whatever time after."""

import socket
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson
import pytest

from bff.auth.development import refuse_development
from bff.auth.http import Http
from bff.auth.provider import OpenIdProvider
from bff.dev.idp import LocalProvider
from bff.dev.idp_values import Client
from bff.errors import ConfigError, ProviderAway
from bff.model.access import Issuer, Provider
from bff.model.source import Place

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
    with LocalProvider([Client("shop", "", ("http://127.0.0.1/auth/callback",))]) as provider:
        yield provider.issuer


@pytest.fixture
def serve(bff, tmp_path):
    """Run `bff serve`; it ends with 3 where gunicorn would go on to open its sockets."""

    def run(provider, issuer):
        (tmp_path / "bff.yaml").write_text(CONFIG.format(provider=provider, issuer=issuer))
        settings = "def on_starting(server):\n    raise SystemExit(3)\n"
        (tmp_path / "gunicorn.conf.py").write_text(settings)
        return bff("serve", "--config", str(tmp_path))

    return run


def test_a_provider_for_development_ends_the_start_with_2_before_a_socket_is_opened(serve, local):
    done = serve(local, local)
    assert done.returncode == 2
    for line in (7, 9):  # to sign in at, and to take bearer tokens of
        assert f"bff.yaml:{line}" in done.stderr
    assert f"error: {local} is a provider for development, which lets anybody in" in done.stderr
    assert "hint: `bff dev`" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_provider_that_is_away_keeps_nobody_from_starting(serve):
    with socket.create_server(("127.0.0.1", 0)) as free:
        away = f"http://127.0.0.1:{free.getsockname()[1]}"
    done = serve(away, REAL)
    assert done.returncode == 3
    assert "error" not in done.stderr


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
        with pytest.raises(ProviderAway, match="one for development"):
            OpenIdProvider(provider(local), http, time.time).prepare()
        OpenIdProvider(provider(local), http, time.time, development=True).prepare()
    finally:
        http.close()
