"""axe-core finds nothing on the page of `bff demo`, and on those of the local provider."""

from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from bff.dev.provider.app import LocalProvider
from bff.dev.provider.values import RegisteredClient
from tests.e2e.browser import Browser, until

pytestmark = pytest.mark.large  # axe-core is of `.ci/bootstrap npm`
AXE = Path(__file__).parents[2] / "build/npm/node_modules/axe-core/axe.min.js"
RULES = {"target-size": {"enabled": True}}  # of WCAG 2.2, which axe looks for where it is asked to


def found(page: Browser) -> dict[str, list[Any]]:
    """The rules that are broken, and where."""
    page.run(AXE.read_text())
    result = page.run("return axe.run(document, {rules: arguments[0]})", RULES)
    return {each["id"]: [node["target"] for node in each["nodes"]] for each in result["violations"]}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1600, 390])
def test_the_page_is_for_everybody(page: Browser, scheme: str, width: int) -> None:
    page.size(width, 1000)
    page.media(prefers_color_scheme=scheme)
    assert found(page) == {}


def test_so_is_the_page_before_sign_in(signed_out: Browser) -> None:
    assert found(signed_out) == {}


def test_so_are_the_pages_of_the_local_provider(only_browser: Browser) -> None:
    back = "http://127.0.0.1:1/back"
    client = RegisteredClient(
        "app", "secret", redirect_uris=(back,), logout_uris=(), backchannel_uri=""
    )
    with LocalProvider([client]) as provider:
        asked = {
            "client_id": "app",
            "response_type": "code",
            "scope": "openid",
            "redirect_uri": back,
            "code_challenge": "x" * 43,
            "code_challenge_method": "S256",
            "state": "s",
        }
        only_browser.open(f"{provider.issuer}/oauth/authorize?{urlencode(asked)}")
        until(lambda: "Choose an account" in only_browser.text("h1"), "the page is there")
        assert found(only_browser) == {}
        only_browser.open(f"{provider.issuer}/")
        until(lambda: only_browser.text("h1"), "the page is there")
        assert found(only_browser) == {}
    only_browser.open("about:blank")
