"""The client's address: as a trusted proxy writes it, in whatever form, and nobody else."""

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from bff.web.access.address import _entries, _is_trusted, client_address

PROXY = "127.0.0.1"
FORMS = {
    "203.0.113.9": "203.0.113.9",
    "203.0.113.9:5000": "203.0.113.9",  # Azure's Application Gateway
    "203.0.113.9:": "203.0.113.9",
    " 203.0.113.9:443 ": "203.0.113.9",
    "203.0.113.9:_p0rt": "203.0.113.9",
    '"203.0.113.9:5000"': "203.0.113.9",
    "2001:db8::9": "2001:db8::9",
    "2001:DB8:0:0::9": "2001:db8::9",
    "[2001:db8::9]": "2001:db8::9",
    "[2001:db8::9]:5000": "2001:db8::9",
    '"[2001:db8::9]:5000"': "2001:db8::9",
    "fe80::1%eth0": "fe80::1",
    "[fe80::1%25eth0]:80": "fe80::1",
    "::ffff:203.0.113.9": "203.0.113.9",
    "[::ffff:203.0.113.9]:80": "203.0.113.9",
    "198.51.100.1, 203.0.113.9:5000": "203.0.113.9",
    "unknown:80, 198.51.100.1,203.0.113.9": "203.0.113.9",
    # no address: it counts as the proxy
    "": PROXY,
    " ": PROXY,
    ",": PROXY,
    "203.0.113.9,": PROXY,
    "unknown": PROXY,
    "_hidden": PROXY,
    "203.0.113.9, unknown": PROXY,
    "localhost": PROXY,
    "203.0.113": PROXY,
    "203.0.113.9.5": PROXY,
    "203.0.113.999": PROXY,
    "010.0.0.1": PROXY,
    "203.0.113.9:http": PROXY,
    "203.0.113.9:999999": PROXY,
    "203.0.113.9/24": PROXY,
    "[2001:db8::9": PROXY,
    "2001:db8::9]:80": PROXY,
    "[]:80": PROXY,
    "[2001:db8::9]x": PROXY,
    "203.0.113.9 203.0.113.8": PROXY,
    "for=203.0.113.9": PROXY,
}


def address(peer: str, forwarded: str | None) -> str:
    environ = EnvironBuilder().get_environ() | {"REMOTE_ADDR": peer}
    if forwarded is not None:
        environ["HTTP_X_FORWARDED_FOR"] = forwarded
    return client_address(Request(environ))


@pytest.mark.parametrize("forwarded", FORMS)
@pytest.mark.parametrize("peer", [PROXY, "::1", "::ffff:127.0.0.1"])
def test_an_address_is_read_in_every_form(forwarded: str, peer: str) -> None:
    expected = FORMS[forwarded]
    found = address(peer, forwarded)
    assert found == (expected if expected != PROXY else peer.removeprefix("::ffff:"))


@pytest.mark.parametrize("peer", ["198.51.100.7", "2001:db8::7", "::ffff:198.51.100.7"])
@pytest.mark.parametrize("forwarded", ["203.0.113.9", "[2001:db8::9]:1", "unknown", None])
def test_others_are_not_believed(peer: str, forwarded: str | None) -> None:
    assert address(peer, forwarded) == peer.removeprefix("::ffff:")


@pytest.mark.parametrize("forwarded", [None, "203.0.113.9:1"])
def test_a_socket_of_this_machine_is_a_proxy(forwarded: str | None) -> None:
    assert address("", forwarded) == ("203.0.113.9" if forwarded else "")


@pytest.mark.parametrize(
    "text", ["10.0.0.0/8,", ",10.0.0.0/8", "10.0.0.0/8 ,\t::1\n", " ,10.0.0.0/8,,"]
)
def test_an_empty_entry_leaves_the_other_proxies_trusted(text):
    """It made all untrusted or not by the order of a set, which another start changes."""
    entries = _entries(text)
    assert {"10.0.0.0/8"} <= entries <= {"10.0.0.0/8", "::1"}
    assert _is_trusted("10.1.2.3", entries)
