"""One client for each kind of address, as impatient as its user asks for."""

import pytest
from redis import SSLConnection, UnixDomainSocketConnection

from bff.cache.redis_connection import RedisConnection
from bff.store.redis_address import parse_redis_address
from bff.store.redis_client import ClientLimits, connect

URLS = [
    "redis://h:1/2",
    "rediss://h",
    "unix:///run/redis.sock?db=3",
    "redis+sentinel://a:1,b/shop/4",
    "rediss+sentinel://:p@a:1/shop",
]


def check(client, url, timeout, connections):
    address, pool = parse_redis_address(url), client.connection_pool
    settings = pool.connection_kwargs
    assert settings["socket_timeout"] == settings["socket_connect_timeout"] == timeout
    assert settings["retry"].get_retries() == 0
    assert settings["db"] == address.db
    assert (pool.max_connections == 32) == (connections == 32)
    connection = pool.connection_class(**settings)
    assert connection.retry.get_retries() == 0
    assert isinstance(connection, SSLConnection) == (address.tls is not None)
    assert isinstance(connection, UnixDomainSocketConnection) == bool(address.path)


@pytest.mark.parametrize("url", URLS)
def test_a_client_is_as_impatient_as_its_limits(url):
    client = connect(parse_redis_address(url), ClientLimits(0.5, 32))
    check(client, url, 0.5, 32)
    client.close()


@pytest.mark.parametrize("url", URLS)
def test_the_cache_has_the_same_client_with_limits_of_its_own(url):
    connection = RedisConnection(parse_redis_address(url))
    check(connection._redis, url, 0.25, None)
    connection.close()
