"""Settings: every variable is documented, and a wrong one is a problem that names it."""

from pathlib import Path

import pytest

from bff.declare.settings import Settings
from bff.errors import ConfigError


def test_without_an_environment_the_defaults_hold():
    assert Settings.from_env({}) == Settings()


def test_each_variable_is_read():
    environ = {
        "BFF_CONFIG": "/etc/shop",
        "BFF_BIND": "0.0.0.0:80",
        "BFF_MANAGEMENT_BIND": "",
        "BFF_WORKERS": "3",
        "BFF_THREADS": "4",
        "BFF_POOL": "5",
        "BFF_MEMORY": "64MB",
        "BFF_STATE": "/var/lib/bff",
    }
    assert Settings.from_env(environ) == Settings(
        Path("/etc/shop"),
        "0.0.0.0:80",
        None,
        workers=3,
        threads=4,
        pool=5,
        memory=64 * 1024 * 1024,
        state=Path("/var/lib/bff"),
    )
    for name in environ:
        assert f"{name}," in (Settings.__doc__ or "")


@pytest.mark.parametrize("text", ["0", "-1", "x", "", "1.5", "99999", "\u0661", " 1", "1 ", "+1"])
@pytest.mark.parametrize("name", ["BFF_WORKERS", "BFF_THREADS", "BFF_POOL"])
def test_a_number_that_is_none_is_a_problem(name, text):
    with pytest.raises(ConfigError, match=name):
        Settings.from_env({name: text})


@pytest.mark.parametrize(
    "text", ["", "0MB", "7MB", "128", "128mb", "1GB", "-8MB", "\u0668MB", "8 MB"]
)
def test_memory_that_is_no_size_is_a_problem(text):
    with pytest.raises(ConfigError, match="BFF_MEMORY"):
        Settings.from_env({"BFF_MEMORY": text})


def test_every_wrong_setting_is_told_at_once():
    with pytest.raises(ConfigError) as error:
        Settings.from_env({"BFF_WORKERS": "x", "BFF_POOL": "0"})
    assert len(error.value.problems) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BFF_BIND", "127.0.0.1:http"),
        ("BFF_BIND", "127.0.0.1:70000"),
        ("BFF_MANAGEMENT_BIND", "nowhere"),
        ("BFF_MANAGEMENT_BIND", "127.0.0.1"),
        ("BFF_MANAGEMENT_BIND", "127.0.0.1:http"),
        ("BFF_MANAGEMENT_BIND", "127.0.0.1:70000"),
    ],
)
def test_an_address_that_is_none_is_a_problem(name, text):
    with pytest.raises(ConfigError, match=name):
        Settings.from_env({name: text})


@pytest.mark.parametrize("text", ["0.0.0.0:80", "localhost:8000", "[::1]:8000", ":8000"])
def test_an_address_that_is_one_is_taken(text):
    assert Settings.from_env({"BFF_BIND": text}).bind == text
