"""Who is asking, on the demo page: signing in and out, the time that is left, the devices."""

import re

from tests.e2e.browser import Browser, until
from tests.e2e.conftest import Demo, sees, shown
from tests.e2e.contrast import CONTRAST
from tests.person import Person

TIMER = "[role=timer]"
SEND = "((url, method) => fetch(url, {method, headers: {'X-CSRF': '1'}}).then(a => a.status))"


def rows(page: Browser) -> list[str]:
    found = page.run(
        "return [...document.querySelectorAll('.devices li')].map(row => row.innerText)"
    )
    return [str(each) for each in found]


def test_before_sign_in_the_page_invites_and_views_answer_401(signed_out: Browser) -> None:
    page = signed_out
    sees(page, "#who", "Not signed in")
    assert "cart, home, order, orders answer 401" in page.text("#who")
    assert "product, search answer everyone" in page.text("#who")
    for frame in (".browser", ".phone"):
        assert "Sign in to see your orders" in page.text(frame)
        assert page.run("return !!document.querySelector(arguments[0] + ' .shop-button')", frame)
    for side in (".side-web", ".side-mobile"):
        assert "401 Unauthorized" in page.text(f"{side} .status")
        assert "No call was made" in page.text(f"{side} .side-calls")
    sees(page, "#news", "both answer 401, and no service was called")
    sees(page, ".explored-news", "/web/search?q=lamp: complete.")
    said = [entry["message"] for entry in page.log()]
    assert [each for each in said if "status of 401" not in each] == []


def test_before_sign_in_it_can_be_read_and_fits(signed_out: Browser) -> None:
    page = signed_out
    for scheme in ("light", "dark"):
        page.media(prefers_color_scheme=scheme)
        assert page.run(CONTRAST) == []
    for width in (360, 620, 900, 1240):
        page.size(width, 740)
        wide = page.run("return document.documentElement.scrollWidth")
        assert wide == width, f"{wide} px on a screen of {width}"


def test_one_click_signs_in_where_the_form_is_skipped(demo: Demo, signed_out: Browser) -> None:
    page = signed_out
    page.click(".browser .shop-button")
    sees(page, "#who", "Ada Lovelace")
    assert page.address == f"{demo.url}/"
    assert "ada by shop" in page.text("#who")
    for claim in ("ada@example.com", "pro", "acme"):
        assert claim in page.text(".who-claims")
    sees(page, ".browser", "Good to see you, Ada.")
    sees(page, "#news", "Web: complete.")


def test_somebody_else_is_one_choice_away(page: Browser) -> None:
    before = {name: each["value"] for name, each in page.cookies().items()}
    page.click("#who [data-key=switch]")
    sees(page, "h1", "Choose an account")
    page.click("button[value=grace]")
    sees(page, "#who", "Grace Hopper")
    sees(page, ".browser", "Good to see you, Grace.")
    assert "navy" in page.text(".who-claims")
    after = {name: each["value"] for name, each in page.cookies().items()}
    assert [name for name in before.keys() & after.keys() if before[name] == after[name]] == []
    page.click("#who [data-key=sign-out]")
    sees(page, "#who", "Not signed in")


def test_the_time_that_is_left_runs(page: Browser) -> None:
    first = page.text(TIMER)
    assert re.fullmatch(r"(30:00|29:[345]\d)", first)
    until(lambda: page.text(TIMER) != first, "the time goes on", within=3)
    width = page.run("return document.querySelector('.left i').style.width")
    assert 90 < float(width.removesuffix("%")) <= 100


def test_signing_out_ends_it_here_and_at_the_provider(demo: Demo, page: Browser) -> None:
    page.click("#who [data-key=sign-out]")
    sees(page, "#who", "Not signed in")
    assert page.address == f"{demo.url}/"
    sees(page, ".browser", "Sign in to see your orders")
    page.open(f"{demo.url}/auth/login?prompt=none")  # the provider knows nobody any more
    sees(page, "body", "The user is not signed in at the provider")


def test_other_devices_are_listed_and_signed_out(demo: Demo, page: Browser) -> None:
    page.run(f"return {SEND}('/auth/sessions?keep=current', 'DELETE')")
    elsewhere = [Person(demo.url).sign_in() for _ in range(3)]
    page.click("#again")
    until(lambda: len(rows(page)) == 4, "the other devices are listed")
    own = [row for row in rows(page) if "this one" in row]
    assert len(own) == 1
    assert re.match(r"Chrome \d+ on Linux", own[0])
    assert "Sign out" not in own[0]
    page.run("document.querySelector('.devices li:not(.is-current) button').click()")
    until(lambda: len(rows(page)) == 3, "one of them is gone")
    assert sum(each.session()["authenticated"] for each in elsewhere) == 2
    page.run("document.querySelector('[data-key=end-others]').click()")
    until(lambda: len(rows(page)) == 1, "nobody is signed in elsewhere")
    assert not any(each.session()["authenticated"] for each in elsewhere)
    assert page.text("#session-error") == ""
    assert "Ada Lovelace" in page.text("#who")


def test_a_session_that_is_ended_elsewhere_is_noticed(demo: Demo, page: Browser) -> None:
    page.click("#keep")
    elsewhere = Person(demo.url).sign_in()
    assert elsewhere.ask("/auth/sessions?keep=current", "DELETE")[0] == 204
    sees(page, "#who", "You have been signed out")
    sees(page, ".browser", "Sign in to see your orders")
    page.click("#keep")
    page.click("#who a.primary")
    sees(page, "#who", "Ada Lovelace")
    until(lambda: shown(page), "the answers are shown")


def test_every_request_of_the_page_says_that_it_is_the_pages(page: Browser) -> None:
    """Without the header, which no page of another site can send, nothing is answered."""
    refused = page.run("return fetch('/web/home').then(answer => answer.status)")
    assert refused == 403
    assert page.run("return fetch('/auth/logout', {method: 'POST'}).then(a => a.status)") == 403
    page.click("#again")
    sees(page, "#news", "Web: complete.")
