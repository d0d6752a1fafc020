"""Decisions about keeping: values in, values out, and time stands still."""

import pytest

from bff.cache.directives import directives_of, freshness_lifetime
from bff.cache.entry import CacheEntry, decode, encode
from bff.cache.policy import (
    Lifetime,
    age_of,
    conditional_headers,
    confirmed,
    confirms,
    jittered,
    lifetime,
    state_at,
    usable_on_error,
)
from bff.model.cache import CacheRule
from bff.model.exchange import Reply, Request
from bff.model.source import Place

PLACE = Place("test")
NOW = 1_000_000.0
DATE = "Mon, 12 Jan 1970 13:46:40 GMT"  # NOW
LATER = "Mon, 12 Jan 1970 13:48:20 GMT"  # 100 s on
ENTRY = CacheEntry(200, (), b"{}", NOW, 10.0, stale=20.0, error=100.0)


@pytest.mark.parametrize(
    ("age", "verdict", "instead_of_a_failure"),
    [
        (-5, "fresh", True),  # a clock that went back
        (0, "fresh", True),
        (9.9, "fresh", True),
        (10, "stale", True),
        (29.9, "stale", True),
        (30, "error", True),
        (109.9, "error", True),
        (110, "expired", False),
    ],
)
def test_an_entry_is_as_good_as_its_age_allows(age, verdict, instead_of_a_failure):
    assert state_at(ENTRY, NOW + age) == verdict
    assert usable_on_error(ENTRY, NOW + age) is instead_of_a_failure


def test_lifetimes_are_shortened_by_up_to_a_tenth_so_that_they_end_apart():
    assert jittered(100, lambda: 0.0) == 100
    assert jittered(100, lambda: 1.0) == pytest.approx(90)


def reply(status=200, body=b"{}", **headers):
    named = tuple((name.lower().replace("_", "-"), value) for name, value in headers.items())
    return Reply(status, named, body)


def kept(rule, answer, shared="everyone", sent=()):
    request = Request("users", "GET", "/x", tuple((name, "v") for name in sent))
    return lifetime(rule, request, answer, shared, NOW, lambda: 0.0)


TTL = CacheRule(PLACE, 60.0, 5.0, 600.0, statuses={404: 7.0, 503: 1.0})
UPSTREAM = CacheRule(PLACE)


@pytest.mark.parametrize(
    ("answer", "shared", "sent", "wanted"),
    [
        (reply(), "everyone", (), Lifetime(60, 5, 600)),
        (reply(204, b""), "everyone", (), Lifetime(60, 5, 600)),
        (reply(Cache_Control="no-cache, max-age=0"), "everyone", (), Lifetime(60, 5, 600)),
        (reply(ETag='"a"'), "everyone", (), Lifetime(60, 5, 600, 600)),
        (reply(206), "everyone", (), None),
        (reply(404), "everyone", (), Lifetime(7)),
        (reply(503), "everyone", (), Lifetime(1)),
        (reply(500), "everyone", (), None),
        (reply(302), "everyone", (), None),
        (reply(Cache_Control="no-store"), "everyone", (), None),
        (reply(Cache_Control="NO-STORE"), "person", (), None),
        (reply(Cache_Control="private"), "everyone", (), None),
        (reply(Cache_Control="private"), "claims", (), None),
        (reply(Cache_Control="private"), "person", (), Lifetime(60, 5, 600)),
        (reply(Set_Cookie="a=1"), "everyone", (), None),
        (reply(Set_Cookie="a=1"), "person", (), Lifetime(60, 5, 600)),
        (reply(Vary="*"), "person", (), None),
        (reply(Vary="Accept, Accept-Encoding"), "everyone", (), Lifetime(60, 5, 600)),
        (reply(Vary="Accept-Language"), "everyone", (), None),
        (reply(Vary="Accept-Language"), "everyone", ("accept-language",), Lifetime(60, 5, 600)),
        (reply(Vary="Cookie"), "everyone", (), None),
        (reply(Vary="Cookie"), "person", (), Lifetime(60, 5, 600)),
    ],
)
def test_a_declared_time_replaces_what_a_reply_says_of_time_and_nothing_else(
    answer, shared, sent, wanted
):
    assert kept(TTL, answer, shared, sent) == wanted


@pytest.mark.parametrize(
    ("answer", "shared", "sent", "wanted"),
    [
        (reply(), "everyone", (), None),  # nothing is guessed
        (reply(Cache_Control="max-age=60"), "everyone", (), Lifetime(60)),
        (reply(Cache_Control='max-age="60"'), "everyone", (), Lifetime(60)),
        (reply(Cache_Control="max-age=60, s-maxage=5"), "everyone", (), Lifetime(5)),
        (reply(Cache_Control="max-age=60, s-maxage=5"), "person", (), Lifetime(60)),
        (reply(Cache_Control="max-age=sixty"), "everyone", (), None),
        (reply(Expires=LATER, Date=DATE), "everyone", (), Lifetime(100)),
        (reply(Expires=LATER), "everyone", (), Lifetime(100)),
        (reply(Expires="0"), "everyone", (), None),
        (reply(Expires=LATER, Cache_Control="max-age=1"), "everyone", (), Lifetime(1)),
        (reply(404, Cache_Control="max-age=9"), "everyone", (), Lifetime(9)),
        (reply(500, Cache_Control="max-age=9"), "everyone", (), None),
        (reply(Cache_Control="no-cache", ETag='"a"'), "everyone", (), Lifetime(0, keep=60)),
        (reply(ETag='"a"'), "everyone", (), Lifetime(0, keep=60)),
        (reply(Cache_Control="no-cache"), "everyone", (), None),
        (
            reply(Cache_Control="max-age=60, stale-while-revalidate=5, stale-if-error=9"),
            "everyone",
            (),
            Lifetime(60, 5, 9),
        ),
        (
            reply(Cache_Control="max-age=60, must-revalidate, stale-while-revalidate=5"),
            "everyone",
            (),
            Lifetime(60),
        ),
        (reply(Cache_Control="max-age=60, proxy-revalidate"), "everyone", (), Lifetime(60)),
        # RFC 9111, section 3.5
        (reply(Cache_Control="max-age=60"), "everyone", ("authorization",), None),
        (reply(Cache_Control="max-age=60, public"), "everyone", ("authorization",), Lifetime(60)),
        (reply(Cache_Control="max-age=60"), "person", ("authorization",), Lifetime(60)),
    ],
)
def test_the_upstream_decides_where_it_is_asked_to(answer, shared, sent, wanted):
    assert kept(UPSTREAM, answer, shared, sent) == wanted


def test_what_the_upstream_does_not_say_of_stale_is_as_declared():
    rule = CacheRule(PLACE, None, 5.0, 9.0)
    assert kept(rule, reply(Cache_Control="max-age=60")) == Lifetime(60, 5, 9)


def test_a_304_brings_new_headers_and_keeps_the_body():
    old = CacheEntry(200, (("etag", '"a"'), ("x", "1"), ("content-length", "4")), b"body", 0, 1)
    new = confirmed(old, reply(304, b"", X="2", Cache_Control="max-age=5", Content_Length="0"))
    assert (new.status, new.body) == (200, b"body")
    assert dict(new.headers) == {
        "etag": '"a"',
        "content-length": "4",
        "x": "2",
        "cache-control": "max-age=5",
    }
    assert conditional_headers(old) == (("if-none-match", '"a"'),)
    assert conditional_headers(CacheEntry(200, (("last-modified", DATE),), b"", 0, 1)) == (
        ("if-modified-since", DATE),
    )


def test_a_304_says_nothing_of_the_bytes_that_are_kept():
    own = (("content-type", "application/json"), ("content-range", "bytes 0-3/9"))
    old = CacheEntry(200, (("etag", '"a"'), *own), b"body", 0, 1)
    said = {"Content_Type": "text/html", "Content_Encoding": "gzip", "Content_Range": "bytes 1-2/3"}
    new = confirmed(old, reply(304, b"", Transfer_Encoding="chunked", **said))
    assert dict(new.headers) == {"etag": '"a"', **dict(own)}


@pytest.mark.parametrize(
    ("kept_etag", "said", "does"),
    [
        ('"a"', '"a"', True),
        ('"a"', None, True),
        ('"a"', 'W/"a"', True),
        ('W/"a"', 'W/"a"', True),
        (None, None, True),
        (None, 'W/"a"', True),
        ('"a"', '"b"', False),
        ('W/"a"', '"b"', False),
        ('"a"', 'W/"b"', False),
        (None, '"b"', False),
    ],
)
def test_a_304_for_another_version_confirms_nothing(kept_etag, said, does):
    named = {"ETag": said} if said else {}
    old = CacheEntry(200, (("etag", kept_etag),) if kept_etag else (), b"body", 0, 1)
    assert confirms(old, reply(304, b"", **named)) is does


def test_ages_and_directives_that_cannot_be_read_keep_nothing_longer():
    assert age_of(reply(Age="12")) == 12
    assert age_of(reply(Age="-1")) == age_of(reply(Age="x")) == age_of(reply()) == 0
    assert age_of(reply(Age="0000000000000000000000012")) == 12
    assert age_of(reply(Age="9" * 5000)) == 2**31
    assert age_of(reply(Age="²")) == 0
    said = directives_of((("cache-control", 'a="b, c", max-age=1, max-age=9'),))
    assert said == {"a": "b, c", "max-age": "1"}
    twice = (("expires", LATER), ("expires", LATER))
    assert freshness_lifetime(directives_of(twice), twice, NOW, shared=True) == 0


@pytest.mark.parametrize("body", [b"", b"null", b"false", b"0", b"[]", b"\x00\xff" * 1000])
def test_an_entry_is_the_same_after_it_was_stored(body):
    headers = (("x", "caf\u00e9"), ("x", "\udce9"), ("y", ""))
    entry = CacheEntry(200, headers, body, NOW, 1.5, 2.0, 3.0, 4.0, "reply of users")
    assert decode(encode(entry)) == entry
    for broken in (encode(entry)[:20], b"", None, 7, b"bff1\xff\xff\xff\xff", b"bff1\0\0\0\2[]"):
        assert decode(broken) is None
