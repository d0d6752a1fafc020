"""Signing in as it is deployed: a real browser, https by nginx, a provider on another site.

The app is at https://shop.example, the provider at http://127.0.0.1: nothing that the browser does
between the two is same-site, so a cookie that is SameSite=Strict is put to the test.
"""

import json
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bff.cli.local_app import LocalSetup
from bff.dev.provider.app import LocalProvider
from bff.dev.provider.values import ACCOUNTS, Account, RegisteredClient
from bff.dev.recordings.answerer import read_latency, replay_all
from bff.dev.shop.recordings import shop_recordings
from bff.dev.stubs.stub import StubServices
from tests.e2e.browser import Browser, chromium, until
from tests.ports import free_port
from tests.project.test_nginx import command, render

ROOT = Path(__file__).parents[2]
SITE = "https://shop.example"
COOKIE = "__Host-Http-bff"
TOKEN_SECONDS = 3.0  # refreshed in the last fifth of it
ACCOUNT_PAGE = """<!doctype html><title>Account</title>
<form method="post" action="/auth/logout">
  <input type="hidden" name="return_to" value="/bye.html">
  <button>Sign out</button>
</form>
"""
FETCH = """
const [path, method] = arguments;
return fetch(path, {method, headers: {'X-CSRF': '1'}}).then(async (answer) =>
  [answer.status, await answer.text()]);
"""


@dataclass
class Site:
    """The app behind its front, the services behind it, and the provider elsewhere."""

    port: int
    provider: LocalProvider
    stubs: StubServices
    browser: Browser

    def fetch(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """What a script of the app's own page is answered."""
        status, text = self.browser.run(FETCH, path, method)
        return status, json.loads(text) if text else None

    def session(self) -> dict[str, Any]:
        return dict(self.fetch("/auth/session")[1])

    def sign_in(self, account: str = "ada", return_to: str = "/") -> None:
        self.browser.open(f"{SITE}/auth/login?return_to={return_to}")
        self.choose(account, return_to)

    def choose(self, account: str, return_to: str = "/") -> None:
        assert self.browser.address.startswith(f"{self.provider.issuer}/oauth/authorize?")
        self.browser.click(f"button[value={account}]")
        until(lambda: self.browser.address == SITE + return_to, f"the way back to {return_to}")

    def cookie(self) -> dict[str, Any]:
        """The one cookie that the app has set."""
        own = [each for each in self.browser.cookies().values() if each["domain"] == "shop.example"]
        assert len(own) == 1, [each["name"] for each in own]
        return own[0]

    def with_cookie(self, name: str, value: str) -> Any:
        """What somebody is told who comes with a cookie, through no browser."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        forwarded = {"Host": "shop.example", "X-Forwarded-Proto": "https", "X-CSRF": "1"}
        connection.request(
            "GET", "/auth/session", headers=forwarded | {"Cookie": f"{name}={value}"}
        )
        told = json.loads(connection.getresponse().read())
        connection.close()
        return told


def certificate(folder: Path) -> str:
    """Make a key and a self-signed certificate; the hash by which a browser may know it."""
    openssl = shutil.which("openssl")
    assert openssl, "openssl is missing"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"), "-days", "2"]
    words += ["-subj", "/CN=shop.example", "-addext", "subjectAltName=DNS:shop.example"]
    subprocess.run([openssl, *words], check=True, capture_output=True)  # noqa: S603
    from_key = [openssl, "pkey", "-in", str(folder / "key.pem"), "-pubout", "-outform", "DER"]
    public = subprocess.run(from_key, check=True, capture_output=True).stdout  # noqa: S603
    return b64encode(sha256(public).digest()).decode()


def front(folder: Path, port: int, app: int) -> list[str]:
    """The command of nginx as shipped, with TLS, and a page that signs out without any script."""
    pages = folder / "pages"
    pages.mkdir()
    (pages / "account.html").write_text(ACCOUNT_PAGE)
    (pages / "bye.html").write_text("<!doctype html><title>Bye</title><p>Bye!")
    rendered = render(
        ROOT,
        folder / "nginx",
        BFF_NGINX_TLS="on",
        BFF_NGINX_LISTEN=port,
        BFF_NGINX_HTTPS_PORT=port,
        BFF_NGINX_REDIRECT=f"127.0.0.1:{free_port()}",
        BFF_NGINX_CERTIFICATE=folder / "cert.pem",
        BFF_NGINX_KEY=folder / "key.pem",
        BFF_NGINX_UPSTREAM=f"127.0.0.1:{app}",
        BFF_NGINX_STATIC=pages,
    )
    return command(rendered)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    app, management, https, issuer = (free_port() for _ in range(4))
    client = RegisteredClient(
        "shop",
        "q7Vd-2mXk-9wLb-4zRt-8nHc",
        redirect_uris=(f"{SITE}/auth/callback",),
        logout_uris=(f"{SITE}/auth/logged-out",),
        backchannel_uri=f"http://127.0.0.1:{app}/auth/backchannel-logout",
    )
    local = LocalSetup(app, {"shop": issuer}, {"shop": client.id}, client.secret)
    answerers = replay_all(shop_recordings(), read_latency("0ms", Random(1)))
    key = certificate(folder)
    with ExitStack() as stack:
        stubs = stack.enter_context(StubServices(answerers, keep=True))
        provider = LocalProvider([client], port=issuer, token_seconds=TOKEN_SECONDS)
        stack.enter_context(provider)
        environ = {
            **os.environ,
            **local.environ(),
            **{f"{name.upper()}_URL": url for name, url in stubs.urls.items()},
            "BFF_BIND": f"127.0.0.1:{app}",
            "BFF_MANAGEMENT_BIND": f"127.0.0.1:{management}",
            "BFF_WORKERS": "2",
            "BFF_STATE": str(folder / "state"),
        }
        words = ["-m", "bff.cli.local_app", "app"]
        for arguments in ([sys.executable, *words], front(folder, https, app)):
            process = subprocess.Popen(arguments, env=environ, cwd=ROOT)  # noqa: S603
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
        flags = [
            f"--host-resolver-rules=MAP shop.example:443 127.0.0.1:{https}",
            f"--ignore-certificate-errors-spki-list={key}",
        ]
        browser = stack.enter_context(chromium(*flags))
        until(lambda: _answers(app), "the app answers", within=20)
        yield Site(app, provider, stubs, browser)


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture
def site(running: Site) -> Site:
    """Nobody is signed in, anywhere."""
    running.browser.open(SITE)
    running.browser.forget()
    running.stubs.forget()
    return running


def tokens_seen(site: Site) -> list[str]:
    """The tokens that a service was called with, in order."""
    found = [request.header("Authorization") for request in site.stubs.requests("users")]
    return [each for each in found if each]


def test_a_person_signs_in_at_another_site_and_calls_views(site: Site) -> None:
    assert site.fetch("/web/home")[0] == 401
    assert not site.stubs.requests()
    site.sign_in("grace")
    told = site.session()
    assert (told["authenticated"], told["sub"], told["provider"]) == (True, "grace", "shop")
    assert told["claims"]["name"] == "Grace Hopper"
    status, home = site.fetch("/web/home")
    assert (status, home["user"]["name"]) == (200, "Grace Hopper")
    (token,) = tokens_seen(site)
    assert token.startswith("Bearer ")


def test_the_browser_has_an_opaque_strict_cookie_and_no_token(site: Site) -> None:
    site.sign_in()
    cookie = site.cookie()
    assert cookie["name"].startswith("__Host-")
    assert cookie["sameSite"] == "Strict"
    assert (cookie["secure"], cookie["httpOnly"], cookie["path"]) == (True, True, "/")
    assert len(cookie["value"]) == 43
    assert site.browser.run("return document.cookie") == ""
    assert "eyJ" not in json.dumps([site.fetch("/auth/session"), site.fetch("/auth/sessions")])


def test_a_link_to_a_view_leads_through_sign_in_to_that_view(site: Site) -> None:
    """The way back comes from another site, where a browser sends no strict cookie along."""
    site.browser.open(f"{SITE}/web/orders?page=1")
    site.choose("ada", "/web/orders?page=1")
    until(lambda: '"orders"' in site.browser.text("body"), "the view's answer")


def test_a_token_is_refreshed_before_its_end_and_the_person_notices_nothing(site: Site) -> None:
    site.sign_in()
    cookie = site.cookie()
    before = site.provider.tokens.granted["refresh_token"]
    assert site.fetch("/mobile/home")[0] == 200
    assert site.provider.tokens.granted["refresh_token"] == before

    def refreshed() -> bool:
        assert site.fetch("/mobile/home")[0] == 200
        return site.provider.tokens.granted["refresh_token"] > before

    until(refreshed, "a refresh", within=3 * TOKEN_SECONDS)
    assert site.provider.tokens.granted["refresh_token"] == before + 1
    seen = tokens_seen(site)
    assert len(set(seen)) == 2
    assert seen[0] != seen[-1]
    assert site.cookie()["value"] == cookie["value"]


def test_many_calls_at_once_with_a_stale_token_refresh_it_once(site: Site) -> None:
    site.sign_in()
    assert site.fetch("/mobile/home")[0] == 200
    before = site.provider.tokens.granted["refresh_token"]
    wait = "return new Promise(done => setTimeout(done, arguments[0] * 1000))"
    site.browser.run(wait, TOKEN_SECONDS)  # the token's life: there is nothing to look for
    statuses = site.browser.run(
        """const ask = () => fetch('/mobile/home', {headers: {'X-CSRF': '1'}}).then(a => a.status);
           return Promise.all(Array.from({length: 8}, ask))"""
    )
    assert statuses == [200] * 8
    assert site.provider.tokens.granted["refresh_token"] == before + 1


def test_two_tabs_sign_in_at_once(site: Site) -> None:
    browser = site.browser
    browser.open(f"{SITE}/auth/login?return_to=/web/search")
    first = browser.new_tab()
    browser.open(f"{SITE}/auth/login?return_to=/")
    second = browser.new_tab()
    browser.close_tab(then=first)
    site.choose("ada", "/web/search")
    browser.to_tab(second)
    site.choose("ada")
    assert site.session()["authenticated"]
    browser.close_tab(then=first)
    browser.open(SITE)
    assert site.session()["sub"] == "ada"


def test_a_planted_cookie_does_not_survive_sign_in(site: Site) -> None:
    site.sign_in("grace")
    theirs = site.cookie()
    site.browser.forget()
    planted = {"name": theirs["name"], "value": theirs["value"], "url": SITE, "secure": True}
    site.browser.cdp("Network.setCookie", {**planted, "path": "/", "httpOnly": True})
    site.browser.open(SITE)
    assert site.session()["sub"] == "grace"  # the trap is set
    site.sign_in("ada")
    assert site.session()["sub"] == "ada"
    assert site.cookie()["value"] != theirs["value"]
    assert site.with_cookie(theirs["name"], theirs["value"]) == {"authenticated": False}
    assert site.with_cookie(theirs["name"], site.cookie()["value"])["sub"] == "ada"


def test_signing_out_ends_the_session_here_and_there(site: Site) -> None:
    site.sign_in()
    cookie = site.cookie()
    status, told = site.fetch("/auth/logout", "POST")
    assert status == 200
    assert told["logout_url"].startswith(f"{SITE}/auth/logout/provider?to=")
    site.browser.open(told["logout_url"])
    until(lambda: site.browser.address == f"{SITE}/", "the way back")
    assert site.session() == {"authenticated": False}
    assert site.fetch("/web/home")[0] == 401
    assert site.with_cookie(cookie["name"], cookie["value"]) == {"authenticated": False}
    site.browser.open(f"{SITE}/auth/login")
    assert "Choose an account" in site.browser.text("h1")


def sign_out_by_the_form(site: Site) -> None:
    site.sign_in("ada", "/account.html")
    cookie = site.cookie()
    site.browser.click("button")
    until(lambda: site.browser.address == f"{SITE}/bye.html", "the way back")
    assert site.with_cookie(cookie["name"], cookie["value"]) == {"authenticated": False}
    site.browser.open(f"{SITE}/auth/login")
    assert "Choose an account" in site.browser.text("h1"), "nobody is signed in there"


def test_a_plain_form_signs_out_here_and_there(site: Site) -> None:
    """The page of the form has `form-action 'self'`, which Chromium applies to redirects too."""
    sign_out_by_the_form(site)


def test_an_id_token_that_is_too_long_for_an_address_ends_the_session_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = [f"department-{at:03}-administrator-of-everything-there" for at in range(200)]
    monkeypatch.setitem(ACCOUNTS, "ada", Account("ada", {**ACCOUNTS["ada"].claims, "roles": roles}))
    sign_out_by_the_form(site)


def test_stepping_up_goes_on_after_its_tokens_are_refreshed(site: Site) -> None:
    site.sign_in()
    site.browser.open(f"{SITE}/auth/login?acr_values=urn:shop:mfa&return_to=/")
    site.choose("ada")
    before = site.provider.tokens.granted["refresh_token"]

    def refreshed() -> bool:
        assert site.fetch("/mobile/home")[0] == 200
        return site.provider.tokens.granted["refresh_token"] > before + 1

    until(refreshed, "two refreshes", within=5 * TOKEN_SECONDS)


def test_back_after_a_sign_in_goes_on(site: Site) -> None:
    site.sign_in("ada", "/account.html")
    site.browser.open(f"{SITE}/bye.html")
    for _ in range(3):
        site.browser.run("history.back()")
        until(lambda: "did not work" not in site.browser.text("body"), "no page that says so")
    assert site.browser.run("return history.length") > 1
    site.browser.open(SITE)
    assert site.session()["sub"] == "ada"


def test_what_the_provider_form_sends_again_goes_on(site: Site) -> None:
    """Back to the form that somebody has filled in, and filled in again."""
    site.browser.open(f"{SITE}/auth/login?return_to=/bye.html")
    form = site.browser.address
    site.choose("ada", "/bye.html")
    site.browser.open(form)
    until(lambda: site.browser.address == f"{SITE}/bye.html", "what was signed in for")
    assert site.session()["sub"] == "ada"


def test_a_page_that_prefetches_or_shows_the_sign_in_begins_none(site: Site) -> None:
    site.browser.open(f"{SITE}/bye.html")
    site.browser.run(
        """const image = new Image(); image.src = '/auth/login?image'; document.body.append(image);
           const link = document.createElement('link'); link.rel = 'prefetch';
           link.href = '/auth/login?prefetch'; document.head.append(link);
           return new Promise(done => { image.onerror = () => done(1); })"""
    )
    status = site.browser.run("return fetch('/auth/login').then(a => a.status, () => 0)")
    assert status == 403
    assert not [name for name in site.browser.cookies() if name.startswith(COOKIE)]


def test_signing_out_at_the_provider_ends_the_session(site: Site) -> None:
    site.sign_in()
    assert site.session()["authenticated"]
    site.browser.open(f"{site.provider.issuer}/oauth/account")
    site.browser.click(".end")
    until(lambda: "Ada" not in site.browser.text("body"), "the provider's word that it is done")
    site.browser.open(SITE)
    assert site.session() == {"authenticated": False}


def test_who_changes_their_mind_is_told_so_on_a_page(site: Site) -> None:
    site.browser.open(f"{SITE}/auth/login")
    site.browser.click(".cancel")
    until(lambda: "cancelled" in site.browser.text("body"), "a page that says so")
    assert "access_denied" not in site.browser.text("body")
    site.browser.open(SITE)
    assert site.session() == {"authenticated": False}
