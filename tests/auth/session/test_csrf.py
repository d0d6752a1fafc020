"""Which requests with a session's cookie may be somebody else's page's."""

from itertools import product

import pytest

from bff.auth.session.csrf import CsrfHeaders, check_cross_site, is_navigation
from bff.errors import CrossSite

OWN = "https://shop.example"
SPA = "https://app.shop.example"
EVIL = "https://evil.example"
READS, WRITES = ("GET", "HEAD"), ("POST", "PUT", "PATCH", "DELETE", "BREW")


def passes(sent, rule="header", origins=(SPA,)):
    try:
        check_cross_site(sent, rule, OWN, origins)
    except CrossSite:
        return False
    return True


# what a browser says (Origin, Sec-Fetch-Site), and whether a page that says so may write
SOURCES = [
    (OWN, "same-origin", True),
    (OWN, None, True),  # a browser without Fetch Metadata
    (None, "same-origin", True),  # some send no Origin to where they are
    (SPA, "same-site", True),
    (SPA, "cross-site", True),
    (SPA, None, True),
    (SPA, "same-origin", True),  # behind a proxy that makes one site of two
    (None, "same-site", False),
    (None, "cross-site", False),
    (None, "none", False),  # typed in: no write begins so
    (OWN, "none", False),
    (OWN, "same-site", False),  # contradicts itself
    (OWN, "cross-site", False),
    (SPA, "none", False),
    (SPA, "", False),
    (None, "", False),
    (None, "Same-Origin", False),  # a token has its case
    (None, "same-origin, same-origin", False),
    ("null", "same-site", False),
    ("null", "cross-site", False),
    ("null", "none", False),
    ("null", None, False),
    ("", None, False),
    ("", "same-origin", False),
    (EVIL, "same-origin", False),
    (EVIL, "cross-site", False),
    (EVIL, None, False),
    ("http://shop.example", None, False),
    ("https://shop.example:443", None, False),
    ("https://shop.example:8443", None, False),
    ("https://SHOP.example", None, False),
    ("https://shop.example.", None, False),
    ("https://shop.example/", None, False),
    ("https://shop.example.evil.example", None, False),
    ("https://evilshop.example", None, False),
    ("https://x.app.shop.example", None, False),
    ("https://app-shop.example", None, False),
    (f"{OWN}, {EVIL}", None, False),
    (f"{OWN} ", None, False),
    (f"{OWN}\x00", None, False),
]


@pytest.mark.parametrize(("origin", "site", "fine"), SOURCES)
@pytest.mark.parametrize("method", WRITES)
def test_a_write_with_the_header_is_also_held_against_what_the_browser_says(
    origin, site, fine, method
):
    assert passes(CsrfHeaders(method, origin, site, "cors", "empty", "1")) is fine


def test_a_write_of_which_no_browser_says_anything_passes_with_the_header():
    assert passes(CsrfHeaders("POST", csrf="1"))


@pytest.mark.parametrize("csrf", [None, "", "0", "1 ", " 1", "1, 1", "true", "11", "\uff11"])
@pytest.mark.parametrize("method", READS + WRITES)
def test_without_the_header_as_it_must_be_nothing_passes(csrf, method):
    for origin, site, _ in SOURCES:
        assert not passes(CsrfHeaders(method, origin, site, "cors", "empty", csrf))


@pytest.mark.parametrize("method", READS)
def test_a_read_needs_the_header_and_nothing_else(method):
    for origin, site, _ in SOURCES:
        assert passes(CsrfHeaders(method, origin, site, "cors", "empty", "1"))


@pytest.mark.parametrize(("origin", "site", "fine"), SOURCES)
@pytest.mark.parametrize("method", READS + WRITES)
def test_by_the_rule_of_origins_the_browser_must_say_where_it_comes_from(
    origin, site, fine, method
):
    for csrf in (None, "1"):  # the header changes nothing
        sent = CsrfHeaders(method, origin, site, "no-cors", "image", csrf)
        assert passes(sent, "origin") is fine


@pytest.mark.parametrize("method", READS + WRITES)
def test_by_the_rule_of_origins_silence_does_not_pass(method):
    assert not passes(CsrfHeaders(method), "origin")
    assert not passes(CsrfHeaders(method, csrf="1"), "origin")


def test_a_form_on_a_page_that_sends_no_referrer_has_no_origin_and_is_known_by_its_site():
    sent = CsrfHeaders("POST", "null", "same-origin", "navigate", "document")
    assert passes(sent, "origin")
    assert not passes(CsrfHeaders("POST", "null", "same-origin", "cors", "empty", "1"))


@pytest.mark.parametrize("rule", ["header", "origin"])
def test_our_own_origin_among_the_declared_ones_makes_no_difference(rule):
    for origin, site, fine in SOURCES:
        sent = CsrfHeaders("POST", origin, site, "cors", "empty", "1")
        assert passes(sent, rule, (SPA, OWN)) is fine


def test_null_passes_not_even_if_it_is_declared():
    assert not passes(CsrfHeaders("POST", "null", csrf="1"), origins=("null",))
    assert not passes(CsrfHeaders("GET", "null"), "origin", origins=("null",))


def test_without_declared_origins_only_ours_passes():
    assert passes(CsrfHeaders("POST", OWN, "same-origin", csrf="1"), origins=())
    assert not passes(CsrfHeaders("POST", SPA, "same-site", csrf="1"), origins=())


MODES = (None, "navigate", "cors", "no-cors", "same-origin", "websocket", "Navigate", "")
DESTS = (None, "document", "empty", "iframe", "frame", "embed", "object", "image", "Document", "")


def test_a_navigation_is_a_read_that_fills_the_window():
    for method, mode, dest in product(READS + WRITES, MODES, DESTS):
        expected = method in READS and mode == "navigate" and dest == "document"
        assert is_navigation(CsrfHeaders(method, fetch_mode=mode, fetch_dest=dest)) is expected


@pytest.mark.parametrize("rule", ["header", "origin"])
@pytest.mark.parametrize("site", ["none", "same-origin", "same-site", "cross-site"])
def test_a_navigation_passes_from_wherever_it_comes(rule, site):
    assert passes(CsrfHeaders("GET", None, site, "navigate", "document"), rule)


@pytest.mark.parametrize("dest", ["iframe", "frame", "embed", "object", "empty"])
def test_a_page_in_a_frame_is_no_navigation(dest):
    assert not passes(CsrfHeaders("GET", None, "cross-site", "navigate", dest))
    assert not passes(CsrfHeaders("GET", None, "cross-site", "navigate", dest), "origin")


@pytest.mark.parametrize(
    ("origin", "site", "fine"),
    [(OWN, "same-origin", True), (EVIL, "cross-site", False), ("null", "cross-site", False)],
)
def test_a_form_that_posts_is_judged_by_the_rule_of_origins(origin, site, fine):
    sent = CsrfHeaders("POST", origin, site, "navigate", "document")
    assert not passes(sent)
    assert passes(sent, "origin") is fine


def test_a_refusal_repeats_nothing_of_the_request():
    with pytest.raises(CrossSite) as refused:
        check_cross_site(CsrfHeaders("POST", "https://s3cret.example", csrf="1"), "header", OWN, ())
    assert refused.value.status == 403
    assert "s3cret" not in str(refused.value)
