"""What every request passes first: its Host, and the id it gets."""

import re

import pytest

from bff.dev.stubs.stub import StubReply

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


@pytest.mark.parametrize("port", ["99999", "65536", "0", "00", "9" * 5000, "0" * 20 + "99999"])
@pytest.mark.parametrize("host", ["shop.example", "[::1]", "evil.example"])
def test_a_port_that_is_none_is_refused(shop, host, port):
    reply = shop.get("/web/home", host=f"{host}:{port}")
    assert (reply.status_code, reply.mimetype) == (400, "application/problem+json")


@pytest.mark.parametrize("port", ["", "1", "80", "65535", "0080"])
def test_a_port_is_no_matter(shop, port):
    assert shop.get("/web/home", host=f"shop.example:{port}").status_code == 200


ABSOLUTE = {
    ("http://shop.example/web/home", "shop.example"): 200,
    ("http://SHOP.example/web/home", "shop.EXAMPLE"): 200,
    ("http://shop.example:80/web/home", "shop.example"): 200,
    ("http://shop.example/web/home", "shop.example:80"): 200,
    ("https://shop.example/web/home", "shop.example:443"): 200,
    ("http://shop.example:8080/web/home?a=//b", "shop.example:8080"): 200,
    ("http://[::1]:8080/web/home", "[::1]:8080"): 200,
    ("http://evil.example/web/home", "shop.example"): 400,
    ("http://shop.example/web/home", "evil.example"): 400,
    ("http://shop.example:81/web/home", "shop.example"): 400,
    ("http://shop.example@evil.example/web/home", "shop.example"): 400,
    ("http://user@shop.example/web/home", "shop.example"): 400,
    ("http://shop.example.evil/web/home", "shop.example"): 400,
    ("http:///web/home", "shop.example"): 400,
    ("http://shop.example?/web/home", "shop.example"): 200,
    ("ftp://shop.example/web/home", "shop.example"): 400,
    ("shop.example://evil.example/web/home", "shop.example"): 400,
    ("/web/home?u=http://evil.example/", "shop.example"): 200,
    ("//evil.example/web/home", "shop.example"): 200,
}


@pytest.mark.parametrize(("target", "host"), ABSOLUTE)
def test_an_absolute_target_names_the_host(shop, target, host):
    """RFC 9112, section 3.2.2."""
    client = shop.app.test_client()
    environ = {"RAW_URI": target, "REQUEST_URI": target, "HTTP_HOST": host}
    reply = client.get("/web/home", environ_overrides=environ)
    assert reply.status_code == ABSOLUTE[target, host]


@pytest.mark.parametrize("size", [15_000, 17_000, 60_000])
def test_headers_that_proxies_would_not_take_are_replaced(site, size):
    """nginx takes them for a failure of the app, and drops it after three."""
    long = StubReply(200, [("Content-Type", "application/json"), ("X-Long", "x" * size)], b"1")
    text = "get: /home\ncall: {get: users:/x, respond: [X-Long]}\n"
    reply = site(text, users=lambda _: long).get("/web/home")
    head = sum(len(name) + len(value) + 4 for name, value in reply.headers)
    assert head <= 16_000
    assert reply.status_code == (200 if size < 16_000 else 502)
    if reply.status_code == 502:
        assert reply.json["id"] == reply.headers["X-Request-Id"]
        assert reply.mimetype == "application/problem+json"


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
