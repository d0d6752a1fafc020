"""Where the next page is: what replies say, and what requests become."""

import pytest

from bff.errors import BadReply
from bff.model.exchange import Reply, Request
from bff.model.pages import Pages
from bff.model.service import Links, Service
from bff.model.source import Place, Source
from bff.plan.expression import Expression
from bff.plan.page_links import Page, Paging, following, next_link, page_of, turned_to

PLACE = Place("x.yaml")
SERVICE = Service("orders", PLACE, "http://orders:8000/v1", 1.0, 1024, links=Links(under="/v1"))
CURSOR = Paging(Pages("cursor", "after", Source("next", PLACE)), Expression(Source("next", PLACE)))
OFFSET = Paging(Pages("offset", "skip"), None)
SIZED = Paging(Pages("offset", "skip", size="n"), None)
LINK = Paging(Pages("link"), None)


def asked(target="/orders"):
    return Request("orders", "GET", target)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], None),
        ([""], None),
        ([" , "], None),
        (["<a>; rel=next"], "a"),
        (['<a>; rel="next"'], "a"),
        (['<a>;rel="NEXT"'], "a"),
        (['<a>; REL = "prev next"'], "a"),
        (["<a>; rel=prev, <b>; rel=next"], "b"),
        (["<a>; rel=prev", "<b>; rel=next"], "b"),
        (['<a>; title="x, <c>; rel=next"; rel=prev, <b>; rel=next'], "b"),
        (['<a>; title="quoted \\" more"; rel=next'], "a"),
        (["< a >; rel=next"], "a"),
        (["<a,b>; rel=next"], "a,b"),
        (["<a>; rel=prev; rel=next"], None),
        (["<a>; rel=nexty"], None),
        (["<a>; rel=next; anchor='#x'"], None),
        (["<a>"], None),
        (["<a>; rel"], None),
        (["<a>; rel=prev,"], None),
    ],
)
def test_the_link_to_the_next_page_is_found_as_the_standard_says(values, found):
    assert next_link(iter(values)) == found


@pytest.mark.parametrize(
    "value", ["a; rel=next", "<a; rel=next", '<a>; title="open; rel=next', "<a> <b>; rel=next", "x"]
)
def test_a_link_header_that_is_none_is_no_end_of_the_list(value):
    with pytest.raises(BadReply):
        next_link(iter([value]))


def test_a_long_header_that_is_none_is_found_out_at_once():
    with pytest.raises(BadReply):
        next_link(iter(["<a>" + ';x="' * 20_001]))


@pytest.mark.parametrize("said", [None, "", False])
def test_a_reply_that_says_nothing_of_a_next_page_is_the_last(said):
    page = page_of(CURSOR, {"next": said}, [1], Reply(200, (), b""))
    assert following(CURSOR, SERVICE, asked(), "x", page) is None


@pytest.mark.parametrize(("said", "text"), [("a", "a"), (7, "7"), (0, "0"), ("null", "null")])
def test_a_cursor_is_a_text(said, text):
    assert following(CURSOR, SERVICE, asked(), None, Page([1], said)) == text


@pytest.mark.parametrize("said", [{}, [], ["a"], True, "x" * 2049])
def test_what_is_no_cursor_is_a_bad_reply(said):
    with pytest.raises(BadReply):
        following(CURSOR, SERVICE, asked(), None, Page([1], said))


@pytest.mark.parametrize(
    ("paging", "target", "position", "count", "after"),
    [
        (OFFSET, "/orders", None, 3, 3),
        (OFFSET, "/orders?skip=3", 3, 3, 6),
        (OFFSET, "/orders?skip=6", 6, 0, None),
        (SIZED, "/orders?n=3", None, 3, 3),
        (SIZED, "/orders?n=3&skip=3", 3, 2, None),
        (SIZED, "/orders?n=3&skip=3", 3, 5, 8),
        (SIZED, "/orders?n=", None, 1, 1),
        (SIZED, f"/orders?n={'9' * 5000}", None, 3, 3),
        (SIZED, "/orders?n=x", None, 1, 1),
    ],
)
def test_what_came_is_what_is_left_out_next(paging, target, position, count, after):
    page = Page([0] * count)
    assert following(paging, SERVICE, asked(target), position, page) == after


@pytest.mark.parametrize(
    ("said", "after"),
    [
        ("?page=2", "/orders?page=2"),
        ("more/2", "/more/2"),
        ("/v1/orders?page=2#x", "/orders?page=2"),
        ("http://orders:8000/v1/orders?page=2", "/orders?page=2"),
    ],
)
def test_a_link_leads_on_below_the_services_address(said, after):
    request = asked("/orders?page=1")
    assert following(LINK, SERVICE, request, None, Page([1], said)) == after
    assert turned_to(LINK, SERVICE, request, after).target == after


@pytest.mark.parametrize(
    "said",
    ["/orders", "../admin", "/v1/%2e%2e/x", "//evil/v1/x", "http://evil/v1/x", "", 7, "/v1/a b"],
)
def test_a_link_that_leads_elsewhere_is_a_bad_reply(said):
    with pytest.raises(BadReply):
        following(LINK, SERVICE, asked(), None, Page([1], said))


def test_a_position_that_the_service_no_longer_allows_leads_nowhere():
    with pytest.raises(BadReply):
        turned_to(LINK, SERVICE, asked(), "/../admin")


@pytest.mark.parametrize(
    ("target", "position", "turned"),
    [
        ("/orders", None, "/orders"),
        ("/orders", "a&b=c", "/orders?after=a%26b%3Dc"),
        ("/orders?x=1&y=2", "a", "/orders?x=1&y=2&after=a"),
        ("/orders?after=a&x=1", "b", "/orders?x=1&after=b"),
        ("/orders?x=1&after=a", "", "/orders?x=1&after="),
    ],
)
def test_a_cursor_takes_the_place_of_the_one_before(target, position, turned):
    assert turned_to(CURSOR, SERVICE, asked(target), position).target == turned
