"""Cursors as clients have them: they lead on, for whom they were made, and nobody else anywhere."""

import re

import pytest

from bff.cache.cache import Cache
from bff.dev.stubs.stub import StubReply
from bff.model.principal import NOBODY, Principal

ADA, BOB = Principal("https://id.example", "ada"), Principal("https://id.example", "bob")
ORDERS = """
get: /orders
params: {limit: {type: integer, default: 2}}
call:
  get: orders:/orders
  query: [limit]
  path: items
  pages: {cursor: next, as: after, param: cursor}
"""
OFFSETS = """
get: /offsets
call: {get: orders:/offsets, pages: {offset: skip, param: cursor}}
"""
LINKS = """
get: /links
call: {get: orders:/links, pages: {link: next, param: cursor}}
"""
SECRET = "position-of-the-service"


def orders(request):
    """Three pages: by a cursor, by an offset, by a link."""
    asked = dict(pair.split("=") for pair in request.target.partition("?")[2].split("&") if pair)
    if request.path == "/orders":
        at = int(asked.get("after", f"{SECRET}-0").rpartition("-")[2])
        after = f"{SECRET}-{at + 1}" if at < 2 else None
        return StubReply.json({"items": [at], "next": after})
    if request.path == "/offsets":
        at = int(asked.get("skip", "0"))
        return StubReply.json([at] if at < 3 else [])
    at = int(asked.get("page", "0"))
    headers = [("Content-Type", "application/json")]
    headers += [("Link", f"<?page={at + 1}>; rel=next")] if at < 2 else []
    return StubReply(200, headers, str([at]).encode())


@pytest.fixture
def shop(site):
    """An app with lists, and who asks, which may change."""
    who = [ADA]

    def make(*views, **more):
        more = {"service": ", links: {under: /}"} | more
        found = site(
            *(views or (ORDERS, OFFSETS, LINKS)), orders=orders, principal=lambda *_: who[0], **more
        )
        found.stubs.who = who
        return found

    return make


def turn(site, path, cursor=None, more=""):
    query = "&".join(each for each in (more, f"cursor={cursor}" if cursor else "") if each)
    return site.get(f"{path}?{query}")


@pytest.mark.parametrize("path", ["/web/orders", "/web/links"])
def test_a_client_turns_the_pages_to_the_end(shop, path):
    site, cursor, seen = shop(), None, []
    for _ in range(3):
        reply = turn(site, path, cursor)
        assert reply.status_code == 200
        seen += reply.json["items"]
        cursor = reply.json["next"]
    assert (seen, cursor) == ([0, 1, 2], None)


def test_a_list_by_offset_ends_with_an_empty_page(shop):
    site, cursor, seen = shop(), None, []
    for _ in range(4):
        reply = turn(site, "/web/offsets", cursor).json
        seen += reply["items"]
        cursor = reply["next"]
    assert (seen, cursor) == ([0, 1, 2], None)


def test_a_cursor_says_nothing_and_fits_in_a_query(shop):
    reply = turn(shop(), "/web/orders")
    cursor = reply.json["next"]
    assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    assert SECRET not in reply.text
    assert turn(shop(), "/web/orders").json["next"] != cursor  # nor whether two are the same


def test_the_same_page_is_asked_for_in_the_same_words(shop):
    site = shop()
    cursor = turn(site, "/web/orders", more="limit=5").json["next"]
    turn(site, "/web/orders", cursor, "limit=5")
    assert site.stubs.requests()[-1].target == f"/orders?limit=5&after={SECRET}-1"


def refused(site, reply):
    assert reply.status_code == 400
    assert [each["parameter"] for each in reply.json["errors"]] == ["cursor"]
    assert not site.stubs.requests()


def changed(text, at):
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "x",
        lambda _: "",
        lambda _: "%00",
        lambda _: "A" * 4001,
        lambda _: "A" * 80,
        lambda _: f"{SECRET}-1",
        lambda cursor: changed(cursor, 3),
        lambda cursor: changed(cursor, 30),
        lambda cursor: changed(cursor, -5),
        lambda cursor: cursor[:-4],
        lambda cursor: cursor + "AAAA",
        lambda cursor: f"{cursor}&cursor={cursor}",
        lambda cursor: cursor + "%0A",
    ],
)
def test_what_is_no_cursor_of_ours_is_400_and_reaches_no_service(shop, spoil):
    site = shop()
    cursor = turn(site, "/web/orders").json["next"]
    site.stubs.forget()
    refused(site, site.get(f"/web/orders?cursor={spoil(cursor)}"))


@pytest.mark.parametrize("other", [BOB, NOBODY, Principal("https://other.example", "ada")])
def test_the_cursor_of_somebody_else_is_400(shop, other):
    site = shop(ORDERS + "access: optional\n")
    cursor = turn(site, "/web/orders").json["next"]
    site.stubs.forget()
    site.stubs.who[0] = other
    refused(site, turn(site, "/web/orders", cursor))


def test_the_cursor_of_a_visitor_is_no_other_visitors(shop):
    visited = ORDERS.replace("[limit]", '{visitor: "{session.visitor}"}') + "access: optional\n"
    site = shop(visited)
    site.stubs.who[0] = Principal(visitor="v-1")
    cursor = turn(site, "/web/orders").json["next"]
    assert turn(site, "/web/orders", cursor).json["items"] == [1]
    site.stubs.forget()
    site.stubs.who[0] = Principal(visitor="v-2")
    refused(site, turn(site, "/web/orders", cursor))


def test_a_cursor_is_of_one_list_alone(shop):
    again = ORDERS.replace("/orders\nparams", "/again\nparams")
    site = shop(ORDERS, OFFSETS, again)
    cursor = turn(site, "/web/orders").json["next"]
    site.stubs.forget()
    for path in ("/web/again", "/web/offsets"):
        refused(site, turn(site, path, cursor))


def test_of_two_lists_of_a_view_each_has_cursors_of_its_own(shop):
    two = """
get: /two
calls:
  a: {get: orders:/orders, path: items, pages: {cursor: next, as: after, param: cursor}}
  b: {get: orders:/orders, path: items, pages: {cursor: next, as: after, param: other}}
shape: {a: a, b: b}
"""
    site = shop(two)
    first = turn(site, "/web/two").json
    both = site.get(f"/web/two?cursor={first['a']['next']}&other={first['b']['next']}").json
    assert (both["a"]["items"], both["b"]["items"]) == ([1], [1])
    one = site.get(f"/web/two?other={both['b']['next']}").json
    assert (one["a"]["items"], one["b"]["items"]) == ([0], [2])
    site.stubs.forget()
    refused(site, site.get(f"/web/two?cursor={first['b']['next']}"))


def test_a_cursor_is_good_for_the_parameters_that_it_was_made_with(shop):
    site = shop()
    cursor = turn(site, "/web/orders", more="limit=5").json["next"]
    assert turn(site, "/web/orders", cursor, "limit=5").status_code == 200
    site.stubs.forget()
    refused(site, turn(site, "/web/orders", cursor, "limit=6"))
    refused(site, turn(site, "/web/orders", cursor))


def test_a_cursor_outlives_the_process(shop):
    cursor = turn(shop(), "/web/orders").json["next"]
    assert turn(shop(), "/web/orders", cursor).json["items"] == [1]


def test_whoever_may_not_ask_learns_nothing_of_a_cursor(shop):
    site = shop()
    site.stubs.who[0] = NOBODY
    assert turn(site, "/web/orders", "x").status_code == 401


def test_a_kept_answer_is_of_one_page_and_one_person(shop):
    site = shop(ORDERS + "cache: {ttl: 1m}\n", cache=Cache(1_000_000))
    first = turn(site, "/web/orders").json
    second = [turn(site, "/web/orders", first["next"]).json for _ in range(2)]
    assert [each["items"] for each in (first, *second)] == [[0], [1], [1]]
    assert turn(site, "/web/orders").json == first
    assert len(site.stubs.requests()) == 2
    site.stubs.who[0] = BOB
    cursor = turn(site, "/web/orders").json["next"]
    assert turn(site, "/web/orders", cursor).json["items"] == [1]


def test_each_page_is_kept_as_itself(shop):
    gathered = """
get: /all
call:
  get: orders:/orders
  path: items
  pages: {cursor: next, as: after, gather: 5}
  cache: {ttl: 1m}
"""
    site = shop(gathered, cache=Cache(1_000_000))
    assert [turn(site, "/web/all").json for _ in range(2)] == [[0, 1, 2]] * 2
    assert len(site.stubs.requests()) == 3


def test_many_kept_pages_do_not_pile_up_on_the_stack(site):
    def numbers(request):
        at = int(request.target.partition("=")[2] or 0)
        return StubReply.json({"items": [at], "next": at + 1 if at < 399 else None})

    view = """
get: /all
max_calls: 500
timeout: 60s
call:
  get: numbers:/n
  path: items
  pages: {cursor: next, as: n, gather: 400}
  cache: {ttl: 1m}
  timeout: 60s
"""
    found = site(view, numbers=numbers, cache=Cache(10_000_000))
    for _ in range(2):
        assert found.get("/web/all").json == list(range(400))


def test_a_part_of_a_batch_has_its_cursor(shop):
    site = shop(batch=2)
    cursor = turn(site, "/web/orders").json["next"]
    client = site.app.test_client()
    wanted = {"good": f"/orders?cursor={cursor}", "bad": f"/offsets?cursor={cursor}"}
    headers = {"Host": "shop.example", "X-CSRF": "1"}
    parts = client.post("/web/_batch", json={"requests": wanted}, headers=headers).json["responses"]
    assert parts["good"]["body"]["items"] == [1]
    assert parts["bad"]["status"] == 400


def test_fewer_fields_of_a_page_are_fewer_fields(shop):
    site = shop(ORDERS + "shape: {orders: call}\nsparse: true\n")
    assert turn(site, "/web/orders", more="fields=orders.items").json == {"orders": {"items": [0]}}
    cursor = turn(site, "/web/orders").json["orders"]["next"]
    reply = turn(site, "/web/orders", cursor, "fields=orders.items")
    assert reply.json == {"orders": {"items": [1]}}
