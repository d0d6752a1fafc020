"""Two apps that share nothing but Redis, behind nginx: the stack of compose.yaml, as processes."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import httpx
import pytest

from stack.run import Stack
from tests.e2e.browser import chromium, until
from tests.e2e.stacked import APPS, COOKIE, PATIENCE, Person, Site, eventually, outcomes, site_of

ROOT = Path(__file__).parents[2]
TOKENS_LAST = 10  # seconds
AT_ONCE = 24
LOADS = 8  # threads
PAUSE = 0.1  # seconds between two requests of each: nginx lets an address have 100 a second
KEPT = "/web/search?q=lamp"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    state = tmp_path_factory.mktemp("stack")
    environ = {"PROVIDER_TOKEN_SECONDS": str(TOKENS_LAST), "LATENCY": "0ms"}
    with Stack(ROOT, state, published=False, environ=environ) as stack:
        yield site_of(stack, state)


@pytest.fixture
def ada(site: Site) -> Iterator[Person]:
    with site.person() as person:
        yield person


def public(site: Site, path: str) -> httpx.Response:
    return httpx.get(site.url + path, verify=site.trust, timeout=PATIENCE, trust_env=False)


def test_the_page_and_the_api_are_of_one_origin_by_https(site: Site) -> None:
    page = public(site, "/")
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "Strict-Transport-Security" in page.headers
    plain = httpx.get(f"http://localhost:{site.stack.port('nginx', 8080)}/x", trust_env=False)
    assert (plain.status_code, plain.headers["Location"]) == (308, f"{site.url}/x")


def test_who_signs_in_at_one_app_is_answered_by_both(site: Site, ada: Person) -> None:
    answered = set()
    for _ in range(10):
        home = ada.ask("/web/home")
        assert home.status_code == 200
        assert set(outcomes(home).values()) == {"ok"}
        assert home.json()["user"]["name"] == "Ada Lovelace"
        answered.add(site.answered_by(home))
    assert answered == set(APPS)


def test_a_token_is_refreshed_once_however_many_ask_at_both(site: Site, ada: Person) -> None:
    assert ada.ask("/web/home").status_code == 200
    before = site.granted("refresh_token")
    time.sleep(TOKENS_LAST + 0.2)  # it has come to its end: what is waited for is the clock
    gate = Barrier(AT_ONCE)

    def ask(number: int) -> httpx.Response:
        gate.wait(PATIENCE)
        return ada.at(APPS[number % 2], "/web/home")

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(ask, range(AT_ONCE)))
    assert [each.status_code for each in answers] == [200] * AT_ONCE
    assert site.granted("refresh_token") - before == 1


def test_who_signs_out_at_one_app_is_signed_out_at_both(ada: Person) -> None:
    session = ada.session
    assert ada.at("app-1", "/auth/logout", "POST").status_code == 200
    for app in APPS:
        there = ada.at(app, "/auth/session")
        assert there.json() == {"authenticated": False}
        assert ada.at(app, "/web/home").status_code == 401
    assert ada.session == session, "the cookie alone opens nothing"


def test_who_signs_out_everywhere_at_one_app_is_signed_out_on_all_devices_at_both(
    site: Site, ada: Person
) -> None:
    with site.person("ada") as elsewhere, site.person("grace") as grace:
        assert ada.at("app-2", "/auth/sessions", "DELETE").status_code == 204
        for app in APPS:
            for device in (ada, elsewhere):
                assert device.at(app, "/auth/session").json() == {"authenticated": False}
            assert grace.at(app, "/auth/session").json()["sub"] == "grace"


def test_a_person_signs_in_on_the_page_and_out_again(site: Site) -> None:
    with chromium("--ignore-certificate-errors") as browser:
        browser.open(site.url)
        until(lambda: browser.text("#who a"), "the page asks to sign in", PATIENCE)
        browser.click("#who a")
        until(lambda: browser.text("button[value=ada]"), "the provider asks who it is", PATIENCE)
        browser.click("button[value=ada]")
        until(lambda: "Ada Lovelace" in browser.text("#who"), "she is greeted", PATIENCE)
        until(lambda: browser.text("#orders li"), "her orders are shown", PATIENCE)
        assert COOKIE in browser.cookies()
        browser.click("#who button")
        until(lambda: site.issuer in browser.address, "she is signed out there too", PATIENCE)
        assert COOKIE not in browser.cookies()


def test_what_is_invalidated_at_one_app_is_not_served_by_the_other(site: Site) -> None:
    for app in APPS:
        eventually(lambda app=app: hit(site, app), f"{app} keeps it")
    purged = site.manage("app-1", "POST", "/cache/purge", {"views": ["search"]})
    assert purged.status_code == 200, purged.text
    eventually(lambda: not hit(site, "app-2"), "app-2 keeps it no longer")


def hit(site: Site, app: str) -> bool:
    reply = site.direct(app, KEPT)
    assert reply.status_code == 200
    return "; hit" in reply.headers["Cache-Status"]


def test_the_two_count_attempts_to_sign_in_together(site: Site) -> None:
    statuses = [
        site.direct(APPS[number % 2], "/auth/login", X_Forwarded_For="203.0.113.7").status_code
        for number in range(40)
    ]
    assert statuses.count(429) >= 40 - 30 - 1
    assert statuses.count(303) >= 30
    assert len(set(statuses[-2:])) == 1, "both refuse, or both have begun anew"


def test_nothing_else_is_shared(site: Site) -> None:
    states = [site.stack.here.folders[app]["/var/lib/bff"] for app in APPS]
    assert len(set(states)) == len(APPS)
    assert [list(each.iterdir()) for each in states] == [[], []], "nothing is kept there"
    writable = [
        {path for path in part.folders if part.folders[path] is None}
        for part in (site.app(app).part for app in APPS)
    ]
    assert writable == [{"/tmp", "/var/lib/bff"}] * 2  # noqa: S108


@pytest.fixture
def load(site: Site, ada: Person) -> Iterator[Callable[[], list[int]]]:
    """People who read pages all the time; calling it ends that and gives every status."""
    over = Event()

    def read(number: int) -> list[int]:
        with httpx.Client(verify=site.trust, timeout=PATIENCE, trust_env=False) as client:
            cookies = {"Cookie": f"__Host-Http-bff={ada.session}", "X-CSRF": "1"}
            path = ("/web/home", "/web/products/p-100042")[number % 2]
            statuses = []
            while not over.is_set():
                statuses.append(client.get(site.url + path, headers=cookies).status_code)
                over.wait(PAUSE)
            return statuses

    with ThreadPoolExecutor(LOADS) as threads:
        under_way = [threads.submit(read, number) for number in range(LOADS)]

        def end() -> list[int]:
            over.set()
            return [status for each in under_way for status in each.result(PATIENCE)]

        try:
            yield end
        finally:
            over.set()


def test_an_app_that_is_killed_under_load_fails_no_read(
    site: Site, load: Callable[[], list[int]]
) -> None:
    victim = site.app("app-1")
    try:
        eventually(lambda: is_busy(site, "app-1"), "app-1 is under load")
        victim.kill()
        eventually(lambda: is_busy(site, "app-2"), "app-2 goes on")
    finally:
        victim.start()
    eventually(lambda: is_busy(site, "app-1"), "app-1 is asked again")
    statuses = load()
    assert set(statuses) == {200}, [each for each in statuses if each != 200]
    assert len(statuses) > 4 * LOADS


def is_busy(site: Site, app: str, requests: int = 10) -> bool:
    """Whether it answers further requests."""
    log = site.app(app).log
    before, deadline = log.read_text().count('"view"'), time.monotonic() + PATIENCE
    while log.read_text().count('"view"') < before + requests:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_an_app_that_is_told_to_end_under_load_fails_nothing(
    site: Site, load: Callable[[], list[int]]
) -> None:
    leaving = site.app("app-2")
    try:
        eventually(lambda: is_busy(site, "app-2"), "app-2 is under load")
        leaving.stop(signal.SIGTERM)
    finally:
        leaving.start()
    assert set(load()) == {200}


def test_a_redis_that_is_killed_and_comes_back_has_forgotten_no_one(
    site: Site, ada: Person
) -> None:
    redis = site.app("sessions")
    with site.person("grace") as grace:
        assert grace.at("app-1", "/auth/logout", "POST").status_code == 200
        redis.kill()
        try:
            for app in APPS:
                assert ada.at(app, "/web/home").status_code == 503, "away is not anonymous"
                assert site.direct(app, "/web/products/p-100042").status_code == 200
        finally:
            redis.start()
        for app in APPS:
            eventually(
                lambda app=app: ada.at(app, "/web/home").status_code == 200, f"{app} is back"
            )
            assert grace.at(app, "/auth/session").json() == {"authenticated": False}


def test_a_cache_that_is_killed_brings_nothing_back_that_was_invalidated(site: Site) -> None:
    redis = site.app("cache")
    for app in APPS:
        eventually(lambda app=app: hit(site, app), f"{app} keeps it")
    redis.kill()
    try:
        for app in APPS:
            assert site.direct(app, KEPT).status_code == 200
        site.manage("app-1", "POST", "/cache/purge", {"views": ["search"]})
    finally:
        redis.start()
    for app in APPS:
        eventually(lambda app=app: hit(site, app), f"{app} keeps it again")


def test_no_secret_is_in_a_log(site: Site, ada: Person) -> None:
    ada.ask("/web/home")
    for name, part in site.stack.parts.items():
        text = part.log.read_text()
        assert ada.session not in text, name
        assert "of-no-use-elsewhere" not in text, name
        assert "code=" not in text or name == "provider", name
