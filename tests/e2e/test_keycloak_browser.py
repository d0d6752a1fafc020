"""Keycloak in Chromium: the app at https://shop.example behind nginx as shipped."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.browser import Browser, chromium, until
from tests.e2e.providers.keycloak import Keycloak
from tests.e2e.providers.keycloak_realm import MFA, claims_of, one_time_password
from tests.e2e.providers.keycloak_site import Site, site_at
from tests.e2e.serving import ROOT
from tests.e2e.test_sign_in import FETCH, SITE, certificate, front
from tests.ports import free_port

pytestmark = pytest.mark.large
LATEST = 20.0  # seconds that a page may take on a machine that is busy
FILL = """for (const name of ['username', 'password'])
            document.querySelector(`#${name}`).value = arguments[0]"""
SEND = "document.querySelector('#kc-login')?.click()"  # unless it has gone on by itself


@dataclass
class Window:
    """A browser at the app."""

    site: Site
    browser: Browser

    def open(self, path: str) -> None:
        self.browser.open(SITE + path)

    def fetch(self, path: str, method: str = "GET") -> tuple[int, Any]:
        """What a script of the app's own page is answered."""
        status, text = self.browser.run(FETCH, path, method)
        return status, text

    def is_signed_in(self) -> bool:
        """Whether a page of the app that is opened now knows who asks."""
        self.open("/bye.html")
        return '"authenticated":true' in self.fetch("/auth/session")[1].replace(" ", "")

    def asked_who(self) -> bool:
        """Whether the form of Keycloak is there."""
        at_keycloak = self.browser.address.startswith(f"{self.site.issuer}/")
        return at_keycloak and bool(
            self.browser.run("return document.querySelector('#username') !== null")
        )

    def fill_in(self, who: str = "ada") -> None:
        until(self.asked_who, "the form of Keycloak", LATEST)
        self.browser.run(FILL, who)
        self.browser.click("#kc-login")

    def reaches(self, path: str) -> None:
        def there() -> bool:
            return self.browser.address == SITE + path

        try:
            until(there, f"{path} is reached", LATEST)
        except AssertionError as error:
            text = self.browser.text("body")
            raise AssertionError(f"{error}\nat {self.browser.address}:\n{text}") from None

    def sign_in(self, who: str = "ada", path: str = "/bye.html") -> None:
        self.open(f"/auth/login?return_to={path}")
        self.fill_in(who)
        self.reaches(path)


@pytest.fixture(scope="module")
def running(keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    folder, https = tmp_path_factory.mktemp("browser"), free_port()
    with ExitStack() as stack:
        site = stack.enter_context(site_at(keycloak, folder, "browser", SITE))
        key = certificate(folder)
        nginx = subprocess.Popen(front(folder, https, site.app.port), env=os.environ, cwd=ROOT)  # noqa: S603
        stack.callback(nginx.wait, 20)
        stack.callback(nginx.terminate)
        flags = [
            f"--host-resolver-rules=MAP shop.example:443 127.0.0.1:{https}",
            f"--ignore-certificate-errors-spki-list={key}",
        ]
        yield Window(site, stack.enter_context(chromium(*flags)))


@pytest.fixture
def window(running: Window) -> Window:
    """Nobody is signed in, anywhere."""
    running.open("/bye.html")
    running.browser.forget()
    return running


def test_a_script_and_a_link_sign_out_here_and_there(window: Window) -> None:
    window.sign_in()
    token = window.fetch("/web/echo")[1]
    assert claims_of(token)["iss"] == window.site.issuer
    window.browser.run(
        """return fetch('/auth/logout?return_to=/account.html',
                        {method: 'POST', headers: {'X-CSRF': '1'}})
             .then(answer => answer.json())
             .then(({logout_url}) => {
               const link = document.createElement('a');
               link.href = logout_url; link.id = 'out'; link.textContent = 'Sign out';
               document.body.append(link);
             })"""
    )
    window.browser.click("#out")
    window.reaches("/account.html")
    assert not window.is_signed_in()
    window.open("/auth/login")
    until(window.asked_who, "the question who it is: the session there has ended", LATEST)


@pytest.mark.parametrize("who", ["ada", "admin"])
def test_a_plain_form_signs_out_here_and_there(window: Window, who: str) -> None:
    """`admin` has a hundred roles, all of them in the ID token that goes to Keycloak."""
    window.sign_in(who, "/account.html")
    window.browser.click("button")
    window.reaches("/bye.html")
    assert not window.is_signed_in()
    window.open("/auth/login")
    until(window.asked_who, "the question who it is: the session there has ended", LATEST)


def open_two_tabs(window: Window) -> tuple[str, str]:
    """Each with the form of Keycloak, at a sign-in of its own; the names of both."""
    browser = window.browser
    window.open("/auth/login?return_to=/account.html")
    until(window.asked_who, "the form", LATEST)
    first = browser.new_tab()
    window.open("/auth/login?return_to=/bye.html")
    until(window.asked_who, "the form", LATEST)
    second = browser.tab
    browser.to_tab(first)
    return first, second


@pytest.mark.parametrize("together", [True, False])
def test_two_tabs_sign_in_at_once(window: Window, together: bool) -> None:  # noqa: FBT001
    """Keycloak's script has the second form go on by itself, if it is not sent before."""
    browser = window.browser
    first, second = open_two_tabs(window)
    try:
        if together:
            for tab in (second, first):
                browser.to_tab(tab)
                browser.run(FILL, "ada")
            browser.run(SEND)
            browser.to_tab(second)
            browser.run(SEND)
        else:
            window.fill_in()
            browser.to_tab(second)
        window.reaches("/bye.html")
        browser.to_tab(first)
        window.reaches("/account.html")
        assert window.is_signed_in()
        browser.to_tab(second)
        assert window.is_signed_in()
    finally:
        browser.to_tab(second)
        browser.close_tab(then=first)


def test_back_after_a_sign_in_meets_no_failure(window: Window) -> None:
    window.sign_in("ada", "/account.html")
    for _ in range(3):
        window.browser.run("history.back()")
        until(lambda: window.browser.address.startswith(SITE), "a page of the app", LATEST)
        assert "did not work" not in window.browser.text("body")
    assert window.is_signed_in()


def test_the_form_of_a_sign_in_that_has_ended_goes_on(window: Window) -> None:
    """As Back does, after a second factor that has replaced the first session, too."""
    window.open("/auth/login?return_to=/account.html")
    until(window.asked_who, "the form", LATEST)
    form = window.browser.address
    window.fill_in()
    window.reaches("/account.html")
    window.browser.open(form)
    window.reaches("/account.html")
    step_up(window, "/bye.html")
    window.browser.open(form)
    window.reaches("/account.html")
    assert window.is_signed_in()


def step_up(window: Window, path: str) -> None:
    window.open(f"/auth/login?acr_values={MFA}&return_to={path}")
    field = "document.querySelector('#otp')"
    until(lambda: window.browser.run(f"return {field} !== null"), "the second form", LATEST)
    window.browser.run(f"{field}.value = arguments[0]", one_time_password())
    window.browser.click("#kc-login")
    window.reaches(path)


def test_a_second_factor_is_asked_for_and_opens_the_view(window: Window) -> None:
    window.sign_in()
    assert window.fetch("/web/transfer")[0] == 403
    step_up(window, "/account.html")
    assert window.fetch("/web/transfer")[0] == 200
