"""What every request passes first: its Host, and the id it gets."""

import re

import pytest

from bff.dev.stub import StubReply

VIEW = "get: /home\ncall: {get: users:/x}\n"


@pytest.fixture
def shop(site):
    return site(VIEW, users=lambda _: StubReply.json({"n": 1}))


@pytest.mark.parametrize(
    "host", ["shop.example", "SHOP.Example", "shop.example:8080", "[::1]", "[::1]:8080"]
)
def test_hosts_of_ours_are_answered(shop, host):
    assert shop.get("/web/home", host=host).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "",
        "shop.example.evil",
        "shop.example@evil",
        "xshop.example",
        "shop.example:x",
        "shop.example/x",
        "a b",
        "shop.example,evil",
        "127.0.0.1",
        "é.example",
        "[",
        "a:b:c",
        "%00",
    ],
)
@pytest.mark.parametrize("path", ["/web/home", "/nowhere", "/"])
def test_other_hosts_are_refused_whatever_is_asked(shop, host, path):
    reply = shop.get(path, host=host)
    assert (reply.status_code, reply.mimetype) == (421, "application/problem+json")
    assert shop.stubs.requests() == []


def test_a_forwarded_host_is_no_host(shop):
    headers = [("X-Forwarded-Host", "shop.example"), ("Forwarded", "host=shop.example")]
    assert shop.get("/web/home", host="evil.example", headers=headers).status_code == 421


def test_health_is_asked_by_any_name(shop):
    assert shop.get("/livez", host="10.0.0.7:8000").status_code == 200


@pytest.mark.parametrize("given", ["abcdefgh", "A-b_c.d-012345", "x" * 64])
def test_an_id_of_the_client_is_kept(shop, given):
    reply = shop.get("/web/home", headers=[("X-Request-Id", given)])
    assert reply.headers["X-Request-Id"] == given
    assert shop.heard[0].id == given


@pytest.mark.parametrize(
    "given",
    ["", "short", "x" * 65, "has blank 12345", "semi;colon12345", "élan-elan", '{"a":1}{"b"}'],
)
@pytest.mark.parametrize("path", ["/web/home", "/nowhere", "/livez"])
def test_any_other_id_is_replaced(shop, given, path):
    reply = shop.get(path, headers=[("X-Request-Id", given)])
    assert re.fullmatch("[0-9a-f]{32}", reply.headers["X-Request-Id"])


def test_every_request_has_an_id_of_its_own(shop):
    assert len({shop.get("/web/home").headers["X-Request-Id"] for _ in range(10)}) == 10


def test_answers_are_not_sniffed(shop):
    for path in ("/web/home", "/nowhere", "/livez"):
        assert shop.get(path).headers["X-Content-Type-Options"] == "nosniff"


def test_an_address_that_is_too_long_is_refused(shop):
    assert shop.get("/web/home?q=" + "x" * 8000).status_code == 200
    refused = shop.get("/web/home?q=" + "x" * 9000)
    assert refused.status_code == 414
    assert refused.mimetype == "application/problem+json"


def test_headers_that_are_too_large_are_refused(shop):
    few = [(f"X-{number}", "x" * 1000) for number in range(20)]
    assert shop.get("/web/home", headers=few).status_code == 200
    refused = shop.get("/web/home", headers=[*few, ("X-Much", "x" * 20_000)])
    assert refused.status_code == 431
    assert refused.json["id"]
