"""Sparse answers: what is asked for, and only the calls that it needs."""

import pytest

from bff.dev.stubs.stub import StubReply

HOME = """
get: /home
sparse: true
strict: true
calls:
  user: {get: users:/me}
  orders: {get: users:/orders}
  news: {get: users:/news}
shape:
  user: "user.{id: id, name: name}"
  orders: "orders[].{id: id, lines: lines}"
  more: {news: "news", "one-two": "news"}
"""
REPLIES = {
    "/me": {"id": 1, "name": "Ada"},
    "/orders": [{"id": 7, "lines": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]}],
    "/news": ["x"],
}


def users(request):
    return StubReply.json(REPLIES[request.path])


CASES = [
    ("user", {"user": {"id": 1, "name": "Ada"}}, {"/me"}),
    ("user.name", {"user": {"name": "Ada"}}, {"/me"}),
    ("orders.id", {"orders": [{"id": 7}]}, {"/orders"}),
    ("orders.lines.sku", {"orders": [{"lines": [{"sku": "a"}, {"sku": "b"}]}]}, {"/orders"}),
    ("user.name,orders.id", {"user": {"name": "Ada"}, "orders": [{"id": 7}]}, {"/me", "/orders"}),
    ("more.news", {"more": {"news": ["x"]}}, {"/news"}),
    ("more.one-two", {"more": {"one-two": ["x"]}}, {"/news"}),
    ("user,user.name", {"user": {"id": 1, "name": "Ada"}}, {"/me"}),
    ("user.nothing", {"user": {}}, {"/me"}),
]


@pytest.mark.parametrize(("fields", "answer", "asked"), CASES)
def test_only_what_is_asked_for_is_answered_and_loaded(site, fields, answer, asked):
    shop = site(HOME, users=users)
    reply = shop.get(f"/web/home?fields={fields}")
    assert (reply.status_code, reply.json) == (200, answer)
    assert {each.target for each in shop.stubs.requests()} == asked


def test_two_parameters_are_as_good_as_a_list(site):
    shop = site(HOME, users=users)
    reply = shop.get("/web/home?fields=user.name&fields=orders.id")
    assert reply.json == {"user": {"name": "Ada"}, "orders": [{"id": 7}]}


def test_without_fields_it_is_whole(site):
    shop = site(HOME, users=users)
    assert shop.get("/web/home").json.keys() == {"user", "orders", "more"}


@pytest.mark.parametrize(
    "fields",
    [
        *("nothing", "user,nothing", "more.nothing", "", ",", "user.", ".user", "user'", "user[0]"),
        "%60",
        ",".join(f"f{at}" for at in range(51)),
    ],
)
def test_what_there_is_not_is_400_and_reaches_no_service(site, fields):
    shop = site(HOME, users=users)
    reply = shop.get(f"/web/home?fields={fields}")
    assert (reply.status_code, reply.content_type) == (400, "application/problem+json")
    assert not shop.stubs.requests()


def test_where_it_is_not_declared_it_is_a_parameter_like_any_other(site):
    shop = site(HOME.replace("sparse: true\nstrict: true\n", ""), users=users)
    assert shop.get("/web/home?fields=user").json.keys() == {"user", "orders", "more"}


def test_what_is_kept_of_one_selection_is_never_given_for_another(site):
    shop = site(HOME.replace("strict: true", "cache: {ttl: 1h}"), users=users)
    for _ in range(2):
        assert shop.get("/web/home?fields=user.name").json == {"user": {"name": "Ada"}}
        assert shop.get("/web/home?fields=user.id").json == {"user": {"id": 1}}
        assert shop.get("/web/home").json["user"] == {"id": 1, "name": "Ada"}
    assert len(shop.stubs.requests()) == 5


def test_a_view_without_a_shape_has_the_fields_of_its_reply(site):
    view = "get: /me\nsparse: true\ncall: {get: users:/me}\n"
    assert site(view, users=users).get("/web/me?fields=name").json == {"name": "Ada"}


def test_fields_that_need_no_call_are_not_fresh_for_a_year(site):
    shop = site(HOME.replace("shape:\n", "shape:\n  version: 3\n"), users=users)
    reply = shop.get("/web/home?fields=version")
    assert reply.json == {"version": 3}
    assert "max-age" not in reply.headers["Cache-Control"]
