"""What others write is read, or is None: no text makes a parser raise."""

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.model.untrusted import MOST_SECONDS, http_date, split_url, whole_number

MOMENT = 784111777.0  # of RFC 9110, section 5.6.7


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun, 06 Nov 1994 09:49:37 +0100",
    ],
)
def test_the_three_forms_of_a_date_are_one_moment_wherever_the_machine_is(text, monkeypatch):
    monkeypatch.setitem(os.environ, "TZ", "America/New_York")
    time.tzset()
    try:
        assert http_date(text) == MOMENT
    finally:
        monkeypatch.delitem(os.environ, "TZ")
        time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        *("Fri, 01 Jan 9999999999999 00:00:00 GMT", "Fri, 31 Feb 2026 00:00:00 GMT", "0", ""),
        *("Fri, 01 Jan 2026 99:99:99 GMT", "²", "9" * 5000),
        *("Fri, 01 Jan 2026 00:00:00 +9999", " ", ",", "Fri, 01 Jan", "\x00", "a" * 9000),
    ],
)
def test_a_date_that_is_none_is_none(text):
    assert http_date(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("0", 0), ("7", 7), ("0000000000000000000000007", 7), ("9" * 12, MOST_SECONDS)),
        *(("9" * 5000, MOST_SECONDS), ("0" * 5000, 0), ("²", None), ("٣", None), ("", None)),
        *(("-1", None), ("+1", None), ("1_0", None), ("1.0", None), (" 1", None), ("1e3", None)),
    ],
)
def test_a_number_is_digits_and_has_a_bound(text, number):
    assert whole_number(text) == number


def test_a_number_has_the_bound_that_it_is_given():
    assert whole_number("12345678901234567", 2**62) == 12345678901234567
    assert whole_number("9" * 19, 2**62) == 2**62


@pytest.mark.parametrize(
    "text",
    ["http://[", "http://[::1", "//[", "http://a:b/", "http://a:99999999999/"],
)
def test_an_address_that_is_none_is_none(text):
    assert split_url(text) is None


def test_an_address_is_taken_apart():
    parts = split_url("http://a:80/b?c")
    assert parts
    assert (parts.hostname, parts.port, parts.path, parts.query) == ("a", 80, "/b", "c")


@given(st.text(max_size=60) | st.text("0123456789:[]/@-+,. GMTJanSun", max_size=60))
def test_nothing_raises(text):
    http_date(text)
    whole_number(text)
    split_url(text)
