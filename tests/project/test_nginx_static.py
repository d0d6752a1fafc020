"""The single-page app's files, as the shipped nginx gives them beside the app."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.project.test_nginx import Answer, Backend, Proxy, Teller, backend, render, running

__all__ = ["Teller", "backend"]

SCRIPT = "console.log('shop');\n" * 100
FILES = {
    "index.html": "<!doctype html><title>Shop</title>",
    "favicon.ico": "icon",
    "service-worker.js": SCRIPT,
    "manifest.webmanifest": "{}",
    "main.3f2a1b9c.js": SCRIPT,
    "assets/index-DiwrgTda.js": SCRIPT,
    "assets/index-DiwrgTda.js.map": "{}",
    "assets/logo.svg": "<svg/>",
    "assets/brand-colours.js": SCRIPT,
    "fancy-component.js": SCRIPT,
    ".env": "SECRET=1",
    ".git/config": "secret",
    ".well-known/assetlinks.json": "[]",
}
FOR_EVER = "public, max-age=31536000, immutable"


@pytest.fixture(scope="module")
def site(root: Path, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder, port = tmp_path_factory.mktemp("static"), free_port()
    for name, text in FILES.items():
        path = folder / "spa" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "spa/manifest.webmanifest.gz").write_bytes(gzip.compress(b'{"made": "before"}'))
    render(
        root,
        folder / "etc",
        BFF_NGINX_STATIC=folder / "spa",
        BFF_NGINX_LISTEN=f"127.0.0.1:{port}",
        BFF_NGINX_UPSTREAM=f"127.0.0.1:{backend.server_port}",
        BFF_NGINX_RATE="1r/s",
        BFF_NGINX_BURST=50,
    )
    yield from running(Proxy(port, folder / "etc", folder / "errors.log"))


def asked_of_the_app(answer: Answer) -> str | None:
    """The line that the app saw, if the answer is the app's."""
    if answer.reply.getheader("BFF-Calls") is None:
        return None
    line: str = json.loads(answer.body)["line"]
    return line


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/orders", "/orders/7", "/a%20b", "/web-shop"]
)
def test_routes_of_the_frontend_are_its_page_which_is_asked_for_each_time(
    site: Proxy, path: str
) -> None:
    answer = site.ask(path)
    assert (answer.reply.status, answer.body.decode()) == (200, FILES["index.html"])
    assert answer.reply.getheader("Content-Type") == "text/html; charset=utf-8"
    assert answer.reply.headers.get_all("Cache-Control") == ["no-cache"]
    tag = answer.reply.getheader("ETag") or ""
    assert site.ask(path, If_None_Match=tag).reply.status == 304


def test_its_page_says_what_may_run_in_it(site: Proxy) -> None:
    headers = site.ask("/").reply.headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert len(headers["X-Request-Id"]) == 32
    assert "Strict-Transport-Security" not in headers, "this is plain http"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/assets/index-DiwrgTda.js", FOR_EVER),
        ("/assets/index-DiwrgTda.js.map", FOR_EVER),
        ("/main.3f2a1b9c.js", FOR_EVER),
        ("/assets/logo.svg", "no-cache"),
        ("/service-worker.js", "no-cache"),
        ("/fancy-component.js", "no-cache"),
        ("/favicon.ico", "no-cache"),
        ("/.well-known/assetlinks.json", "no-cache"),
    ],
)
def test_only_what_has_a_hash_in_its_name_is_kept_for_ever(
    site: Proxy, path: str, kept: str
) -> None:
    answer = site.ask(path)
    assert (answer.reply.status, answer.body.decode()) == (200, FILES[path[1:]])
    assert answer.reply.headers.get_all("Cache-Control") == [kept]


def test_a_script_that_is_gone_is_not_answered_with_the_page(site: Proxy) -> None:
    for path in ("/assets/index-OldOld00.js", "/missing.css"):
        assert asked_of_the_app(site.ask(path)) == f"GET {path} HTTP/1.1"


@pytest.mark.parametrize("path", ["/.env", "/.git/config", "/x/../.env", "/%2eenv", "//.env"])
def test_hidden_files_are_none(site: Proxy, path: str) -> None:
    answer = site.ask(path)
    assert b"SECRET" not in answer.body
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    "path", ["/../etc/bff.conf", "/..%2fetc/bff.conf", "/assets/../../etc/bff.conf"]
)
def test_no_path_leaves_the_folder(site: Proxy, path: str) -> None:
    assert b"proxy_pass" not in site.ask(path).body


@pytest.mark.parametrize(
    "path",
    ["/web/home", "/mobile/search?q=1", "/auth/login?return_to=/", "/web", "/web/a.js", "/livez"],
)
def test_what_is_the_apps_is_asked_of_the_app(site: Proxy, path: str) -> None:
    assert asked_of_the_app(site.ask(path)) == f"GET {path} HTTP/1.1"


def test_files_are_compressed_here_or_were_before(site: Proxy) -> None:
    answer = site.ask("/service-worker.js", Accept_Encoding="gzip")
    assert answer.reply.getheader("Content-Encoding") == "gzip"
    assert answer.reply.getheader("Vary") == "Accept-Encoding"
    assert gzip.decompress(answer.body).decode() == SCRIPT
    made = site.ask("/manifest.webmanifest", Accept_Encoding="gzip")
    assert gzip.decompress(made.body) == b'{"made": "before"}'


def test_answers_of_the_app_are_compressed_by_the_app_alone(site: Proxy) -> None:
    answer = site.ask("/web/" + "x" * 2000, Accept_Encoding="gzip")
    assert answer.reply.getheader("Content-Encoding") is None, "it knows what has a secret in it"


def test_files_are_not_written_to_and_are_no_requests_of_the_app(site: Proxy) -> None:
    refused = site.ask("/orders", "POST", b"{}")
    assert refused.reply.status == json.loads(refused.body)["status"] == 405
    assert {site.ask("/favicon.ico").reply.status for _ in range(60)} == {200}
