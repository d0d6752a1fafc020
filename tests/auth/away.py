"""What is asked of a store whose server is not there, or does not answer."""

from time import monotonic

import pytest

from bff.errors import StoreAway

LATER = 100.0
BOUND = 2.5  # seconds; two times 0.5, on a machine that others use too


def uses(store, clock):
    return (
        lambda: store.get("key"),
        lambda: store.put("key", b"2", clock() + LATER),
        lambda: store.put("key", b"2", clock() + LATER, "0123456789abcdef"),
        lambda: store.delete("key"),
        lambda: store.delete("key", "0123456789abcdef"),
        lambda: store.add("group", "member", clock() + LATER),
        lambda: store.discard("group", "member"),
        lambda: store.members("group"),
    )


def assert_away(store, clock, match="Redis at 127.0.0.1"):
    """It says that it cannot be asked, and never that there is nothing."""
    for use in uses(store, clock):
        began = monotonic()
        with pytest.raises(StoreAway, match=match):
            use()
        assert monotonic() - began < BOUND


def assert_nothing_is_mixed_up(store, server, clock):
    """A server that hangs holds nobody for long, and then nobody gets somebody else's reply."""
    for key in "abcd":
        store.put(key, key.encode(), clock() + LATER)
    server.freeze()
    for key in "ab":
        began = monotonic()
        with pytest.raises(StoreAway, match="Timeout"):
            store.get(key)
        assert monotonic() - began < BOUND
    server.thaw()
    for key in "dcbadcba":
        assert store.get(key).value == key.encode()
