import pytest
from redis import SSLConnection

from bff.store.redis_client import Address, connect, parse

TLS = {"ssl_ca_certs": "/ca.pem", "ssl_certfile": "/c.pem", "ssl_keyfile": "/k.pem"}

GOOD = [
    ("redis://localhost", Address("redis", (("localhost", 6379),))),
    ("redis://h:1/2", Address("redis", (("h", 1),), db=2)),
    ("redis://h/", Address("redis", (("h", 6379),))),
    ("redis://[::1]:7000/0", Address("redis", (("::1", 7000),))),
    (
        "redis://ada:s%40c%2Fret@h",
        Address("redis", (("h", 6379),), login={"username": "ada", "password": "s@c/ret"}),
    ),
    ("redis://:secret@h", Address("redis", (("h", 6379),), login={"password": "secret"})),
    ("redis://:sec@ret@h", Address("redis", (("h", 6379),), login={"password": "sec@ret"})),
    ("rediss://h", Address("redis", (("h", 6379),), tls={})),
    (
        "rediss://h?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem",
        Address("redis", (("h", 6379),), tls=TLS),
    ),
    (
        "redis+sentinel://a:1,b,[::1]:3/shop.eu/4",
        Address("redis+sentinel", (("a", 1), ("b", 26379), ("::1", 3)), db=4, name="shop.eu"),
    ),
    (
        "rediss+sentinel://:p@a:1/shop?sentinel_username=u&sentinel_password=q",
        Address(
            "redis+sentinel",
            (("a", 1),),
            name="shop",
            login={"password": "p"},
            sentinel_login={"username": "u", "password": "q"},
            tls={},
        ),
    ),
    ("redis+cluster://a:1,b", Address("redis+cluster", (("a", 1), ("b", 6379)))),
    ("rediss+cluster://a:1", Address("redis+cluster", (("a", 1),), tls={})),
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
    "http://h",
]


@pytest.mark.parametrize(("url", "address"), GOOD)
def test_an_address_is_read(url, address):
    assert parse(url) == address


@pytest.mark.parametrize("url", BAD)
def test_what_is_no_address_is_refused_without_a_word_of_it(url):
    with pytest.raises(ValueError, match="the address of") as caught:
        parse(url)
    assert "sec" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("url", "address"), GOOD)
def test_a_password_is_in_no_text_of_an_address(url, address):
    text = repr(parse(url)) + str(parse(url))
    for login in (address.login, address.sentinel_login):
        assert not any(f"{value!r}" in text for value in login.values())
    assert address.hosts[0][0] in text


@pytest.mark.parametrize(("url", "address"), [each for each in GOOD if "cluster" not in each[0]])
def test_a_client_is_as_impatient_as_a_request(url, address):
    client = connect(parse(url))
    settings = client.connection_pool.connection_kwargs
    assert settings["socket_timeout"] == settings["socket_connect_timeout"] == 0.5
    assert settings["retry"].get_retries() == 0
    assert settings["db"] == address.db
    assert client.connection_pool.max_connections == 32
    connection = client.connection_pool.connection_class(**settings)
    assert connection.retry.get_retries() == 0
    assert isinstance(connection, SSLConnection) == (address.tls is not None)
    client.close()
