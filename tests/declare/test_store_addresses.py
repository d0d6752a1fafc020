"""Sessions and the cache take the same addresses of a Redis, and refuse the same."""

import pytest

from bff.errors import ConfigError
from tests.declare.conftest import ROOT

MORE = {"session": 'secrets: ["0123456789012345678901234567890123456789"], ', "cache": ""}
REDIS = [
    "redis://:p%40@cache.internal:6379/0",
    "redis://h",
    "rediss://h:1/2?ssl_ca_certs=/etc/ca.pem",
    "unix:///run/redis.sock",
    "unix:///run/redis.sock?db=1",
    "redis+sentinel://u:p@a:1,b:2/shop/0?sentinel_password=q",
    "rediss+sentinel://a:1/shop",
    "redis+cluster://a:1,b:2/",
    "rediss+cluster://:p@a:1",
]
BAD = [
    "redis://h/secret",
    "redis://a,b",
    "rediss://h?ssl_cert_reqs=secret",
    "redis+sentinel://secret:1",
    "redis+cluster://a:1/1",
    "unix:///x?password=secret",
    "redis://:se#cret@h",
    "memcached://secret",
]


def written(key, more, url):
    return f"{ROOT}{key}: {{{more}store: '{url}'}}\n"


@pytest.mark.parametrize("key", ["session", "cache"])
@pytest.mark.parametrize("url", REDIS)
def test_an_address_of_a_redis_is_taken(folder, key, url):
    folder.check({}, bff=written(key=key, more=MORE[key], url=url))


@pytest.mark.parametrize("key", ["session", "cache"])
@pytest.mark.parametrize("url", BAD)
def test_what_is_none_is_refused_with_its_place_and_without_its_text(folder, key, url):
    with pytest.raises(ConfigError) as caught:
        folder.check({}, bff=written(key=key, more=MORE[key], url=url))
    (problem,) = caught.value.problems
    assert problem.id == "wrong-value"
    assert problem.place.line == len(ROOT.splitlines()) + 1
    assert problem.message.startswith(f"this is not the address of a {key}")
    assert "redis://" in problem.hint
    assert "secret" not in f"{problem.message} {problem.hint}"


def test_sessions_in_a_store_that_machines_may_share_need_secrets(folder):
    for url in ("redis://h", "unix:///run/redis.sock"):
        with pytest.raises(ConfigError, match="secrets"):
            folder.check({}, bff=written(key="session", more="", url=url))
    folder.check({}, bff=written(key="session", more="", url="sqlite:/var/lib/s.db"))
