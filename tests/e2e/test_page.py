"""The demo page in a real browser: what it shows, what it does, who can use it."""

import json

from tests.e2e.browser import Browser, until
from tests.e2e.conftest import Demo, sees, shown
from tests.e2e.contrast import CONTRAST


def choose(page: Browser, service: str, choice: str) -> None:
    page.click(f"input[name=service-{service}][value={choice}]")


def outcome(page: Browser, side: str, call: str) -> str:
    rows = page.run(
        """return [...document.querySelectorAll(`.side-${arguments[0]} .w-row`)]
             .map(row => ['b', '.w-outcome'].map(each => row.querySelector(each).innerText))""",
        side,
    )
    return str(dict(rows).get(call, "")).strip()


def test_both_frontends_show_adas_orders(page: Browser) -> None:
    web, mobile = page.text(".browser"), page.text(".phone")
    assert "Good to see you, Ada." in web
    assert "Good to see you, Ada." in mobile
    assert "Packhorse Fen Camp Pot" in web
    assert "€268.90" in web
    assert "o-5038" in mobile
    assert "€268.90" in mobile
    sees(page, "#news", "Web: complete.")
    sees(page, "#news", "Mobile: complete.")


def test_an_answer_is_told_as_it_came(demo: Demo, page: Browser) -> None:
    size = len(json.dumps(demo.ask("GET", "/mobile/home")[1], separators=(",", ":")))
    assert f"{size:,} bytes" in page.text(".side-mobile .status")
    assert "200 OK" in page.text(".side-mobile .status")
    assert "private, no-cache" in page.text(".side-mobile .status")
    assert '"Ada Lovelace"' in page.text(".side-mobile .json")
    assert [outcome(page, "mobile", call) for call in ("user", "unread", "orders")] == ["ok"] * 3
    assert "product, recommended, reviews" in page.text(".side-mobile .w-left-out")


def test_a_bar_stands_where_its_call_ran(page: Browser) -> None:
    """What `product` needs is `orders`: the one begins where the other ends."""
    boxes = page.run(
        """return Object.fromEntries([...document.querySelectorAll('.side-web .w-row')].map(row => {
             const {left, right} = row.querySelector('.w-bar').getBoundingClientRect();
             return [row.querySelector('b').innerText, [left, right]]}))"""
    )
    assert boxes["product"][0] >= boxes["orders"][1] - 4
    assert boxes["reviews"][0] >= boxes["recommended"][1] - 4
    assert boxes["orders"][0] < boxes["product"][0]


def test_a_service_that_goes_down_is_named_and_comes_back(page: Browser) -> None:
    choose(page, "recommendations", "down")
    sees(page, "#news", "recommended is on its fallback, because recommendations is unreachable")
    sees(page, ".browser .is-hurt", "recommended fallback · unreachable")
    assert outcome(page, "web", "recommended") == "fallback · unreachable"
    assert "partial, 1 of 6 calls degraded" in page.text(".side-web .status")
    assert "no-store" in page.text(".side-web .status")
    assert "Packhorse Fen Camp Pot" in page.text(".browser")  # the rest is as it was
    assert "complete" in page.text(".side-mobile .status")  # it does not make that call

    choose(page, "recommendations", "up")
    sees(page, "#news", "Web: complete.")
    assert not page.text(".browser .is-hurt")
    assert "Santoku" in page.text(".browser")
    assert page.log() == []


def test_a_slow_service_costs_its_time_out_and_no_more(page: Browser) -> None:
    choose(page, "catalog", "slower")
    sees(page, "#news", "product is on its fallback, because catalog took too long")
    sees(page, ".browser .note", "Titles and pictures are missing")
    assert "Order o-5038" in page.text(".browser")
    assert page.run("return !!document.querySelector('.side-web .w-limit')")


def test_a_required_service_that_is_down_is_a_problem(page: Browser) -> None:
    choose(page, "users", "down")
    for frame in (".browser", ".phone"):
        sees(page, frame, "We will be right back")
        assert "application/problem+json" in page.text(frame)
        assert "user failed · unreachable" in page.text(frame)
    assert "502 Bad Gateway" in page.text(".side-web .status")
    sees(page, "#news", "user is required and failed: users is unreachable")

    page.click("#all-up")
    sees(page, "#news", "Web: complete.")
    assert "Good to see you, Ada." in page.text(".browser")


def test_it_keeps_asking_while_it_is_told_to(demo: Demo, page: Browser) -> None:
    page.click("#keep")
    demo.service("reviews", "failing")  # behind the page's back
    sees(page, "#news", "reviews failed and is left out, because reviews answered 503")
    sees(page, ".service[data-choice=failing] legend", "reviews")
    demo.service("reviews")
    sees(page, "#news", "Web: complete.")
    page.click("#keep")


def test_any_view_opens_in_the_panel(page: Browser) -> None:
    page.click("#links a[href='/web/search?q=lamp']")
    sees(page, ".explored-news", "/web/search?q=lamp: complete.")
    sees(page, "#explored .json", "facets")
    page.click(".browser .orders a")
    sees(page, ".explored-news", "/web/orders/o-5038: complete.")
    sees(page, "#explored .waterfall", "may_see")
    page.run("document.querySelector('#params input').value = 'o-1'")
    page.click("#route-form button")
    sees(page, ".explored-news", "/web/orders/o-1, 502 Bad Gateway")
    sees(page, ".explored-news", "orders has no recording of that request")


def test_an_answer_that_was_kept_says_so(demo: Demo, page: Browser) -> None:
    demo.ask("GET", "/web/search?q=lamp")
    page.click("#links a[href='/web/search?q=lamp']")
    sees(page, ".explored-news", "complete. It was cached: no service was called.")
    sees(page, "#explored .status", "cached, no call")
    assert page.text("#explored .w-none") == "cached"


def test_bad_parameters_are_told_one_by_one(page: Browser) -> None:
    page.click("#links a[href='/web/orders']")
    page.run("document.querySelector('#params input').value = 'many'")
    page.click("#route-form button")
    sees(page, ".explored-news", "/web/orders?page=many, 400 Bad Request")
    sees(page, "#explored .problem", "query: page")
    sees(page, "#explored .problem", "is not of type integer")


def test_the_declaration_can_be_read(page: Browser) -> None:
    page.click("#home-declared summary")
    sees(page, "#home-declared", "recommendations:/for/{user.segment}")


def test_the_keyboard_reaches_and_operates_everything(page: Browser) -> None:
    names = []
    for _ in range(150):
        page.press("tab")
        names.append(
            page.run(
                """const at = document.activeElement;
                   const box = getComputedStyle(at.matches('.seg input') ? at.nextSibling : at);
                   return [at.id || at.name || at.dataset.key || at.className, box.outlineStyle]"""
            )
        )
        if names[-1][0] == "route":
            break
    reached = [name for name, _ in names]
    for wanted in (
        "keep",
        "again",
        "sign-out",
        "devices",
        "service-catalog",
        "service-users",
        "web-screen",
        "route",
    ):
        assert wanted in reached, reached
    unseen = [name for name, outline in names if outline == "none"]
    assert unseen == []


def test_a_service_is_switched_with_the_arrow_keys(page: Browser) -> None:
    page.run("document.querySelector('input[name=service-recommendations]').focus()")
    page.press("left")  # the choices are a ring: before `up` comes `down`
    sees(page, "#news", "because recommendations is unreachable")
    kept = "return document.activeElement.name + ' ' + document.activeElement.value"
    assert page.run(kept) == "service-recommendations down"
    page.press("right")
    sees(page, "#news", "Web: complete.")


def test_a_row_opens_with_enter_and_keeps_the_focus_over_new_answers(page: Browser) -> None:
    page.run("document.querySelector('.side-web .w-row:nth-child(5) summary').focus()")
    page.press("enter")
    sees(page, ".side-web .w-row:nth-child(5) .facts", "recommendations:/for/{user.segment}")
    assert "recommended" in page.run("return document.querySelector('.is-pointed').dataset.calls")
    old = page.run("return document.querySelector('.side-web .past').getAttribute('aria-label')")
    page.run("document.querySelector('#again').click()")
    label = "return document.querySelector('.side-web .past').getAttribute('aria-label')"
    until(lambda: page.run(label) != old, "the next answer")
    assert "fallback" in page.text(".side-web .w-row:nth-child(5) .facts")
    assert page.run("return document.activeElement.dataset.key") == "web-home-calls/recommended"


def test_no_request_leaves_and_nothing_is_complained_of(demo: Demo, page: Browser) -> None:
    page.open(demo.url)
    until(lambda: shown(page), "the answers are shown")
    asked = page.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert f"{demo.url}/web/home" in asked
    assert [url for url in asked if not url.startswith(f"{demo.url}/")] == []
    assert page.log() == []


def test_nothing_overflows_on_a_narrow_screen(demo: Demo, page: Browser) -> None:
    for name in ("catalog", "reviews", "notifications"):
        demo.service(name, "failing")
    for width in (360, 480, 760, 1024, 1240):
        page.size(width, 740)
        page.open(demo.url)
        until(lambda: shown(page), "the answers are shown")
        wide = page.run("return document.documentElement.scrollWidth")
        assert wide == width, f"{wide} px on a screen of {width}"


def test_the_dark_scheme_is_dark_and_both_have_contrast(page: Browser) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        page.media(prefers_color_scheme=scheme)
        ground = page.run("return getComputedStyle(document.body).backgroundColor")
        grounds.append(sum(int(part) for part in ground[4:-1].split(",")))
        assert page.run(CONTRAST) == []
    assert grounds[0] > 3 * 200 > 3 * 60 > grounds[1]


def test_motion_stops_for_who_asks_for_that(page: Browser) -> None:
    script = """const side = document.querySelector('.side');
                side.setAttribute('aria-busy', 'true');
                return getComputedStyle(side, '::before').animationName"""
    assert page.run(script) == "wait"
    page.media(prefers_reduced_motion="reduce")
    assert page.run(script) == "none"
