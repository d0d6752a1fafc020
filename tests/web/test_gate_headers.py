"""What every answer tells browsers, unless it tells them itself."""

import pytest

from bff.dev.stubs.stub import StubReply

VIEW = "get: /home\ncall: {get: users:/x, decode: text, respond: [Referrer-Policy]}\n"
SAFE = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@pytest.fixture
def shop(site):
    def broken():
        raise RuntimeError

    shop = site(VIEW, users=lambda _: StubReply.json({"n": 1}))
    shop.app.add_url_rule("/broken", view_func=broken)
    return shop


ANSWERS = [
    ("GET", "/web/home", 200),
    ("HEAD", "/web/home", 200),
    ("OPTIONS", "/web/home", 204),
    ("POST", "/web/home", 405),
    ("GET", "/nowhere", 404),
    ("GET", "/livez", 200),
    ("GET", "/broken", 500),
]


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_every_answer_is_safe(shop, method, path, status):
    reply = shop.get(path, method=method)
    assert reply.status_code == status
    for name, value in SAFE.items():
        assert reply.headers.getlist(name) == [value], name


def test_so_is_the_answer_to_a_host_that_is_not_ours(shop):
    reply = shop.get("/web/home", host="evil.example")
    assert reply.status_code == 421
    assert SAFE.items() <= dict(reply.headers).items()


def test_what_an_answer_says_itself_stays(site):
    shop = site(VIEW, users=lambda _: StubReply(200, [("Referrer-Policy", "origin")], b"1"))
    reply = shop.get("/web/home")
    assert reply.headers.getlist("referrer-policy") == ["origin"]
    assert reply.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(("method", "path", "status"), ANSWERS)
def test_only_by_https_browsers_are_told_to_stay_with_it(shop, method, path, status):
    for scheme, told in (("http", []), ("https", ["max-age=31536000"])):
        reply = shop.app.test_client().open(
            path, method=method, base_url=f"{scheme}://shop.example", headers={"X-CSRF": "1"}
        )
        assert reply.status_code == status
        assert reply.headers.getlist("Strict-Transport-Security") == told
