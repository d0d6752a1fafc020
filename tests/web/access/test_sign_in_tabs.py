"""Sign-ins under way: many in one browser, each good for one callback; and those that are none."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from bff.errors import StoreAway
from bff.store.sqlite import SqliteStore
from tests.web.access.test_sign_in import COOKIE, HOST, Browser, led_to, site

__all__ = ["site"]
MOST_OF_A_LINE = 8192  # bytes: nginx's `large_client_header_buffers`
MOST_OF_A_REQUEST_LINE = 4096  # Quarkus's, and with it Keycloak's


def sent_cookies(browser):
    """The Cookie header that the browser sends."""
    found = browser.client._cookies.values()
    return "; ".join(f"{each.key}={each.value}" for each in found)


@pytest.mark.parametrize("length", [1, 300, 2000])
def test_a_browser_may_have_forty_sign_ins_under_way(site, length):
    browser = Browser(site)
    pages = [f"/{at}-{'x' * length}"[:2048] for at in range(40)]
    backs = [browser.at_provider(browser.go(f"/auth/login?return_to={page}")) for page in pages]
    assert len(sent_cookies(browser)) < 4096
    for page, back in zip(pages, backs, strict=True):
        assert len(back) < MOST_OF_A_LINE
        assert led_to(browser.go(back)) == page
    assert browser.get("/web/me").status_code == 200


def test_the_longest_way_to_a_provider_fits_into_its_request_line(site):
    browser = Browser(site)
    reply = browser.go(f"/auth/login?return_to=/{'x' * 2047}&acr_values={'a' * 200}")
    assert reply.status_code == 303
    assert len(reply.headers["Location"]) < MOST_OF_A_REQUEST_LINE


def test_abandoned_sign_ins_grow_neither_the_cookies_nor_the_store(site, tmp_path):
    browser = Browser(site)
    begun = [browser.go("/auth/login") for _ in range(30)]
    entries, sizes = stored(tmp_path), []
    for _ in range(50):
        site.wall.at += 1
        begun.append(browser.go("/auth/login"))
        sizes.append(len(sent_cookies(browser)))
    assert 3600 < sizes[-1] <= max(sizes) < 4096
    assert stored(tmp_path) == entries
    assert browser.go(browser.at_provider(begun[0])).status_code == 400, "the oldest has gone"
    assert browser.go(browser.at_provider(begun[-40])).status_code == 200


def stored(folder):
    """How many entries the store has, of whatever."""
    from sqlite3 import connect

    with connect(f"file:{folder}/sessions.db?mode=ro", uri=True) as database:
        names = [name for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'")]  # fmt: skip
        return {
            name: database.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
            for name in names
        }


def test_two_sign_ins_have_nothing_in_common_that_a_provider_could_tell(site):
    browser = Browser(site)
    first, second = (
        dict(parse_qsl(urlsplit(browser.go("/auth/login").headers["Location"]).query))
        for _ in range(2)
    )
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
    assert len(first["nonce"]) == 43


def test_back_after_a_sign_in_goes_on(site):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    assert led_to(browser.go(back)) == "/orders"
    session = browser.cookie.value
    for later in (0, 601, 1200):  # the last two after a sign-in would have been too late
        site.wall.at += later
        again = browser.go(back)
        assert led_to(again) == "/orders"
        assert "Set-Cookie" not in again.headers
        assert browser.get("/web/me").status_code == 200
    assert browser.cookie.value == session


def test_back_without_the_strict_cookie_goes_on(site):
    """A browser that goes back to what a provider led to sends no strict cookie."""
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    browser.go(back)
    given = browser.cookie.value
    browser.client.delete_cookie(COOKIE, domain="shop.example")
    assert led_to(browser.go(back)) == "/orders"
    browser.client.set_cookie(COOKIE, given, domain="shop.example", secure=True)
    assert browser.get("/web/me").status_code == 200


@pytest.mark.parametrize("times", [1, 3])
def test_back_to_a_sign_in_whose_session_was_replaced_goes_on(site, times):
    """It was stepped up: the browser is signed in, and need not be told of a failure."""
    browser = Browser(site)
    first = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    browser.go(first)
    for _ in range(times):
        browser.go(browser.at_provider(browser.go("/auth/login?max_age=0")))
    again = browser.go(first)
    assert led_to(again) == "/orders"
    assert "Set-Cookie" not in again.headers
    assert browser.get("/web/me").status_code == 200
    browser.get("/auth/logout", method="POST")
    assert browser.go(first).status_code == 400, "none of them goes on any more"


def test_a_step_up_succeeds_where_what_it_replaces_cannot_be_noted(site, monkeypatch):
    browser = Browser(site)
    first = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    browser.go(first)
    put = SqliteStore.put

    def full(store, key, *args):
        if key.startswith("successor:"):
            raise StoreAway("it is full")
        return put(store, key, *args)

    monkeypatch.setattr(SqliteStore, "put", full)
    assert browser.go(browser.at_provider(browser.go("/auth/login?max_age=0"))).status_code == 200
    assert browser.get("/web/me").status_code == 200
    assert browser.go(first).status_code == 400


def test_back_after_signing_out_does_not_go_on(site):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    browser.go(back)
    browser.get("/auth/logout", method="POST")
    again = browser.go(back)
    assert again.status_code == 400
    assert 'href="/auth/login/shop?return_to=%2Forders"' in again.text


def test_back_in_another_browser_signs_nobody_in(site):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    browser.go(back)
    other = Browser(site)
    assert led_to(other.go(back)) == "/orders"
    assert other.cookie is None
    assert other.get("/web/me").status_code == 401


def failing(browser, back, site, how):
    """A callback that fails, with the state of `back`."""
    state = dict(parse_qsl(urlsplit(back).query))["state"]
    query = {
        "cancelled": {"error": "access_denied", "iss": site.idp.issuer},
        "another issuer": {"code": "x", "iss": "https://evil.example"},
        "a guessed code": {"code": "guessed", "iss": site.idp.issuer},
        "no code": {"iss": site.idp.issuer},
    }[how]
    return browser.client.get(
        "/auth/callback", base_url=HOST, query_string={**query, "state": state}
    )


@pytest.mark.parametrize("how", ["cancelled", "another issuer", "a guessed code", "no code"])
def test_a_state_counts_once_whatever_comes_of_it(site, how):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    assert failing(browser, back, site, how).status_code == 400
    good = browser.go(back)
    assert good.status_code == 400
    assert "used already" in good.text
    assert browser.cookie is None


def test_a_state_whose_provider_is_away_counts_once_that_is_back(site):
    """Nothing of it has been spent yet, so the person may reload the page."""
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login"))
    site.idp.control.set("jwks", status=503)
    assert browser.go(back).status_code == 503
    site.idp.control.reset()
    site.wall.at += 50
    assert browser.go(back).status_code == 200


def test_trying_again_keeps_where_and_how_somebody_wanted_to_sign_in(site):
    browser = Browser(site)
    begun = "/auth/login?return_to=/a%3Fb=%2522c&max_age=60&acr_values=gold&prompt=login"
    back = browser.at_provider(browser.go(begun))
    reply = browser.go(back.replace("code=", "error=access_denied&x="))
    assert reply.status_code == 400
    link = reply.text.partition('<a href="')[2].partition('"')[0].replace("&amp;", "&")
    assert urlsplit(link).path == "/auth/login/shop"
    assert dict(parse_qsl(urlsplit(link).query)) == {
        "return_to": "/a?b=%22c",
        "max_age": "60",
        "acr_values": "gold",
        "prompt": "login",
    }
    assert led_to(browser.sign_in(link)) == "/a?b=%22c"


@pytest.mark.parametrize("gone", ["cookie", "time", "browser"])
def test_trying_again_keeps_it_of_a_sign_in_that_cannot_be_ended(site, gone):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    if gone == "cookie":
        (name,) = [each.key for each in browser.client._cookies.values()]
        browser.client.delete_cookie(name, domain="shop.example")
    elif gone == "time":
        site.wall.at += 601
    else:
        browser = Browser(site)
    reply = browser.go(back)
    assert reply.status_code == 400
    assert 'href="/auth/login/shop?return_to=%2Forders"' in reply.text


def test_trying_again_asks_of_nobody_in_silence(site):
    browser = Browser(site)
    state = dict(parse_qsl(urlsplit(browser.go("/auth/login?prompt=none").headers["Location"]).query))["state"]  # noqa: E501  # fmt: skip
    reply = browser.go(f"/auth/callback?error=login_required&state={state}&iss={site.idp.issuer}")
    assert '<a href="/auth/login/shop">' in reply.text


def test_trying_again_while_the_provider_is_away_keeps_it_too(site):
    site.idp.control.set("metadata", status=503)
    reply = Browser(site).go("/auth/login?return_to=/orders")
    assert reply.status_code == 503
    assert 'href="/auth/login/shop?return_to=%2Forders"' in reply.text


def test_a_long_link_to_a_view_leads_through_the_sign_in_too(site):
    reply = Browser(site).go(f"/web/me?x={'y' * 3000}")
    assert reply.status_code == 302
    assert reply.headers["Location"] == "/auth/login?return_to=%2Fweb%2Fme"


PAGE = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Mode": "same-origin"},
        {"Sec-Fetch-Dest": "object"},
        {**PAGE, "Sec-Purpose": "prefetch"},
        {**PAGE, "Sec-Purpose": "prefetch;prerender"},
        {**PAGE, "Sec-Purpose": "prefetch;anonymous-client-ip"},
        {"Purpose": "prefetch"},
        {"Purpose": "Prefetch"},
        {**PAGE, "Sec-Purpose": "", "Purpose": "prefetch"},
        {"Purpose": "preview"},
        {"X-Purpose": "preview"},
        {"X-Moz": "prefetch"},
    ],
)
def test_what_is_fetched_without_a_person_going_there_signs_nobody_in(site, headers):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login"))
    for path in ("/auth/login", "/auth/login/shop", back):
        reply = browser.client.get(path, base_url=HOST, headers=headers)
        assert reply.status_code == 403
        assert "Set-Cookie" not in reply.headers
        assert reply.headers["Cache-Control"] == "no-store"
    assert browser.go(back).status_code == 200, "its state was not used up"


@pytest.mark.parametrize("headers", [{}, PAGE])
def test_whoever_only_looks_whether_a_page_is_there_signs_nobody_in(site, headers):
    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login"))
    for path in ("/auth/login", back):
        reply = browser.client.head(path, base_url=HOST, headers=headers)
        assert reply.status_code == 403
        assert "Set-Cookie" not in reply.headers
    assert browser.go(back).status_code == 200, "its state was not used up"


@pytest.mark.parametrize("headers", [{}, PAGE, {"Sec-Fetch-Mode": "navigate"}])
def test_whoever_goes_there_or_does_not_say_is_sent_to_the_provider(site, headers):
    reply = Browser(site).client.get("/auth/login", base_url=HOST, headers=headers)
    assert reply.status_code == 303


@pytest.mark.parametrize("method", ["put", "add"])
def test_while_sessions_cannot_be_stored_nobody_is_sent_to_the_provider(site, monkeypatch, method):
    def away(*_):
        raise StoreAway("it is full")

    browser = Browser(site)
    back = browser.at_provider(browser.go("/auth/login?return_to=/orders"))
    monkeypatch.setattr(f"bff.store.sqlite.SqliteStore.{method}", away)
    if method == "add":
        reply = browser.go("/auth/login?return_to=/orders")
        assert reply.status_code == 503
        assert reply.headers["Retry-After"]
        assert "Set-Cookie" not in reply.headers
        assert 'href="/auth/login/shop?return_to=%2Forders"' in reply.text
    assert browser.go(back).status_code == 503
    monkeypatch.undo()
    assert browser.cookie is None
