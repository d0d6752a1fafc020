"""The cart and the order form of the demo page: what is written, once, and what comes back."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.browser import Browser, until
from tests.e2e.conftest import Demo, sees
from tests.e2e.contrast import CONTRAST

ASK = "((url, method) => fetch(url, {method, headers: {'X-CSRF': '1'}}))"
ADD = ".browser [data-add]"
NEWS = "#cart-news"


def asked(page: Browser, url: str) -> Any:
    return page.run(f"return {ASK}(arguments[0], 'GET').then(answer => answer.json())", url)


@pytest.fixture
def cart(page: Browser) -> Iterator[Browser]:
    """The page as grace sees it, whose orders no other test looks at, and an empty cart."""
    page.click("#who [data-key=switch]")
    sees(page, "h1", "Choose an account")
    page.click("button[value=grace]")
    try:
        sees(page, "#who", "Grace Hopper")
        for line in asked(page, "/web/cart")["lines"]:
            gone = f"return {ASK}('/web/cart/items/{line['id']}', 'DELETE').then(a => a.status)"
            assert page.run(gone) == 200
        page.click("#again")
        sees(page, "#basket", "The cart is empty")
        until(lambda: page.run("return !!document.querySelector(arguments[0])", ADD), "products")
        page.log()
        yield page
    finally:
        page.media(prefers_color_scheme="light")
        page.run(f"return {ASK}('/auth/logout', 'POST').then(answer => answer.status)")


def press(page: Browser, selector: str) -> None:
    """Press what has the focus then, as somebody without a mouse does."""
    page.run("document.querySelector(arguments[0]).focus()", selector)
    page.press("enter")


def writes(page: Browser) -> list[str]:
    found = page.run(
        "return [...document.querySelectorAll('#writes > li summary:first-child')]"
        ".filter(each => each.dataset.key.match(/^write-\\d+$/)).map(each => each.innerText)"
    )
    return [" ".join(str(each).split()) for each in found]


def test_a_line_is_added_changed_and_removed_by_keyboard(cart: Browser) -> None:
    press(cart, ADD)
    sees(cart, NEWS, "new in the cart, 1")
    title = cart.text(".lines .line-what b")
    assert title in cart.text(".browser .grid")
    sees(cart, "#writes .refreshed", f"{title} new, 1")
    assert "refresh.cart" in cart.text("#writes .waterfall")

    for frame in (".browser", ".phone"):  # where it was added, too
        assert " ".join(cart.text(f"{frame} .cart-link").split()) == "Cart 1 in it"

    press(cart, "[data-key^=more-]")
    sees(cart, NEWS, f"{title}: 1, now 2.")
    focus = "return document.activeElement.getAttribute('aria-label')"
    assert cart.run(focus) == f"One more: {title}"
    for _ in range(3):  # without waiting for an answer: each is one more than the one before
        cart.press("enter")
    sees(cart, NEWS, f"{title}: 4, now 5.")
    assert cart.text(".many") == "5"
    assert asked(cart, "/mobile/cart")["lines"][0]["quantity"] == 5

    press(cart, "[data-key^=remove-]")
    sees(cart, NEWS, f"{title}: gone.")
    sees(cart, "#basket", "The cart is empty")
    assert cart.run("return document.activeElement.id") == "cart"
    assert writes(cart)[0].startswith("DELETE /web/cart/items/p-")
    assert cart.log() == []


def test_a_product_of_the_panel_can_be_bought(cart: Browser) -> None:
    cart.click("#links a[href^='/web/products/']")
    sees(cart, "#explored", "Add to cart")
    cart.run("document.querySelector('#explored [data-add]').click()")
    sees(cart, NEWS, "new in the cart, 1")


def test_a_double_click_is_one_order(cart: Browser) -> None:
    before = asked(cart, "/web/orders")["total"]
    cart.run("document.querySelector(arguments[0]).click()", ADD)
    sees(cart, NEWS, "new in the cart")
    key = cart.text("#order-key")
    cart.run("const order = document.querySelector('#order [type=submit]');"
             "order.click(); order.click()")  # fmt: skip
    until(lambda: len(writes(cart)) == 4, "the second try is tried again")
    first, *tries = [each for each in reversed(writes(cart)) if "/web/orders" in each]
    assert sorted([first, *tries]) == [
        "POST /web/orders 201 Created answered as before, nothing was done",
        "POST /web/orders 201 Created done",
        "POST /web/orders 409 Conflict the first one is under way",
    ]
    sees(cart, NEWS, "201: answered as before, nothing was done.")
    assert asked(cart, "/web/orders")["total"] == before + 1
    placed = asked(cart, "/web/orders")["orders"][0]["id"]
    sees(cart, ".phone", placed)  # the home page was asked anew
    assert cart.text("#order-key") != key
    sees(cart, "#basket", "The cart is empty")

    cart.click("#order-again")
    until(lambda: len(writes(cart)) == 5, "it is sent again")
    assert "answered as before" in writes(cart)[0]
    cart.click("#order-other")
    sees(cart, NEWS, "422: the key was used for another request.")
    assert key in cart.text("#writes .facts")
    assert asked(cart, "/web/orders")["total"] == before + 1

    for scheme in ("light", "dark"):
        cart.media(prefers_color_scheme=scheme)
        assert cart.run(CONTRAST) == []
    for width in (360, 620, 1000, 1240):
        cart.size(width, 740)
        wide = cart.run("return document.documentElement.scrollWidth")
        assert wide == width, f"{wide} px on a screen of {width}"


def test_an_order_that_timed_out_was_placed_and_the_next_try_hears_of_it(
    demo: Demo, cart: Browser
) -> None:
    before = asked(cart, "/web/orders")["total"]
    cart.run("document.querySelector(arguments[0]).click()", ADD)
    sees(cart, NEWS, "new in the cart")
    demo.service("orders", latency_ms=2000)
    key = cart.text("#order-key")
    press(cart, "#order [type=submit]")
    sees(cart, NEWS, "504: failed, and may have been done. The next try has the same key.")
    assert cart.text("#order-key") == key
    demo.service("orders")
    cart.click("#order [type=submit]")
    sees(cart, NEWS, "is placed: €")
    assert asked(cart, "/web/orders")["total"] == before + 1


def test_an_empty_cart_is_no_order(cart: Browser) -> None:
    cart.click("#order [type=submit]")
    sees(cart, NEWS, "422: The cart is empty.")
    assert writes(cart) == ["POST /web/orders 422 Unprocessable Content The cart is empty"]


def test_without_the_catalog_the_cart_says_what_is_missing(demo: Demo, cart: Browser) -> None:
    cart.run("document.querySelector(arguments[0]).click()", ADD)
    sees(cart, NEWS, "new in the cart")
    demo.service("catalog", "failing")
    cart.click("[data-key^=more-]")
    sees(cart, "#basket .note", "product fallback · 503")
    assert cart.text(".many") == "2"
    assert "€" in cart.text(".sums .price")


def test_before_sign_in_there_is_no_cart(signed_out: Browser) -> None:
    sees(signed_out, "#basket", "Sign in, and there is a cart of your own")
    assert signed_out.run("return document.querySelector('#order').hidden")
