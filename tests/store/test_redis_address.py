"""One grammar for the address of a Redis, whatever it is used for."""

import pytest

from bff.store.redis_address import RedisAddress, parse_redis_address

TLS = {"ssl_ca_certs": "/ca.pem", "ssl_certfile": "/c.pem", "ssl_keyfile": "/k.pem"}

GOOD = [
    ("redis://localhost", RedisAddress("redis", (("localhost", 6379),))),
    ("redis://h:1/2", RedisAddress("redis", (("h", 1),), db=2)),
    ("redis://h/", RedisAddress("redis", (("h", 6379),))),
    ("redis://[::1]:7000/0", RedisAddress("redis", (("::1", 7000),))),
    (
        "redis://ada:s%40c%2Fret@h",
        RedisAddress("redis", (("h", 6379),), login={"username": "ada", "password": "s@c/ret"}),
    ),
    ("redis://:secret@h", RedisAddress("redis", (("h", 6379),), login={"password": "secret"})),
    ("redis://:sec@ret@h", RedisAddress("redis", (("h", 6379),), login={"password": "sec@ret"})),
    ("rediss://h", RedisAddress("redis", (("h", 6379),), tls={})),
    (
        "rediss://h?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
        RedisAddress("redis", (("h", 6379),), tls=TLS),
    ),
    (
        "redis+sentinel://a:1,b,[::1]:3/shop.eu/4",
        RedisAddress("redis+sentinel", (("a", 1), ("b", 26379), ("::1", 3)), db=4, name="shop.eu"),
    ),
    (
        "rediss+sentinel://:p@a:1/shop?sentinel_username=u&sentinel_password=q",
        RedisAddress(
            "redis+sentinel",
            (("a", 1),),
            name="shop",
            login={"password": "p"},
            sentinel_login={"username": "u", "password": "q"},
            tls={},
        ),
    ),
    ("redis+cluster://a:1,b", RedisAddress("redis+cluster", (("a", 1), ("b", 6379)))),
    (
        "redis+cluster://:p%40@a:1,b:2/",
        RedisAddress("redis+cluster", (("a", 1), ("b", 2)), login={"password": "p@"}),
    ),
    ("unix:///run/redis.sock", RedisAddress("unix", path="/run/redis.sock")),
    (
        "unix://:p@/run/redis%20one.sock?db=3",
        RedisAddress("unix", path="/run/redis one.sock", db=3, login={"password": "p"}),
    ),
    ("rediss+cluster://a:1", RedisAddress("redis+cluster", (("a", 1),), tls={})),
]
BAD = [
    "",
    "redis",
    "redis://",
    "redis:///0",
    "redis://:secret@",
    "redis://:sec/ret@h",
    "redis://:sec?ret@h",
    "redis://:sec#ret@h",
    "redis://secret:6379/ret@h",
    "redis://h:secret",
    "redis://h:65536",
    "redis://h:-1",
    "redis://h/secret",
    "redis://h/-1",
    "redis://h/0/1",
    "redis://a,b",
    "redis://h?socket_timeout=60",
    "redis://h?secret",
    "redis://h?ssl_ca_certs",
    "redis://[::1",
    "redis://h h",
    "redis+sentinel://a:1",
    "redis+sentinel://a:1/",
    "redis+sentinel://a:1/secret@x",
    "redis+sentinel://a:1/shop/x",
    "redis+cluster://a:1/1",
    "redis+unix:///path",
    "redis://h/²",
    "rediss://h?ssl_cert_reqs=none",
    "unix://",
    "unix:///",
    "unix://h/path",
    "unix:///path?db=secret",
    "unix:///path?password=secret",
    "http://h",
]


@pytest.mark.parametrize(("url", "address"), GOOD)
def test_an_address_is_read(url, address):
    assert parse_redis_address(url) == address


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_is_refused_without_a_word_of_it(url):
    with pytest.raises(ValueError, match="the address of") as caught:
        parse_redis_address(url)
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("url", "address"), GOOD)
def test_a_password_is_in_no_text_of_an_address(url, address):
    text = repr(parse_redis_address(url)) + str(parse_redis_address(url))
    for login in (address.login, address.sentinel_login):
        assert not any(f"{value!r}" in text for value in login.values())
    assert (address.path or address.hosts[0][0]) in text
