"""Representations of answers, and the cache entries that are made of them."""

from dataclasses import replace
from math import inf

import orjson
import pytest

from bff.cache.entry import CacheEntry, decode, encode
from bff.web.views.representation import Representation, from_entry, to_entry

HEADERS = (("Content-Type", "application/json"), ("BFF-Calls", "call=ok"), ("x", "\udcff"))
WHOLE = Representation(200, HEADERS, b"{}", '"tag"', until=1_000_010.5)
OTHERS = [
    WHOLE,
    replace(WHOLE, until=inf),
    replace(WHOLE, shareable=False),
    replace(WHOLE, storable=False, partial=True, etag=None),
]


def entry_of(made):
    return to_entry(made, 1_000_000.0, 10.0, 20.0, 30.0, "home at web")


@pytest.mark.parametrize("made", OTHERS)
def test_an_entry_gives_the_representation_back(made):
    entry = decode(encode(entry_of(made)))
    assert from_entry(entry) == made
    assert (entry.stored, entry.fresh, entry.stale, entry.error) == (1_000_000.0, 10.0, 20.0, 30.0)
    assert entry.label == "home at web"


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        "{",
        "{}",
        "null",
        "[]",
        '[1.5, true, true, false, "tag", 1]',
        '["1.5", true, true, false, "tag"]',
        '[1, true, true, false, "tag"]',
        "[1.5, true, true, false, 1]",
        '[1.5, 1, true, false, "tag"]',
        '[1.5, true, "", false, "tag"]',
        '[1.5, true, true, null, "tag"]',
    ],
)
def test_any_other_entry_gives_none(attributes):
    assert from_entry(replace(entry_of(WHOLE), attributes=attributes)) is None


def test_an_entry_of_the_reply_of_a_service_gives_none():
    assert from_entry(CacheEntry(200, HEADERS, b"{}", 1_000_000.0, 10.0)) is None


def test_an_entry_of_an_earlier_version_is_a_miss():
    head = orjson.dumps([200, [["bff-until", b"1.5".hex()]], [0.0, 1.0, 0.0, 0.0, 0.0], "home"])
    assert decode(b"bff1" + len(head).to_bytes(4, "big") + head + b"{}") is None


def test_a_lifetime_only_shortens():
    assert WHOLE.until_at_most(5.0).until == 5.0
    assert WHOLE.until_at_most(2e6) == WHOLE
