"""JSON is read as it stands, whatever wrote it, and written again."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.model.json_text import _MOST_WITH_HALVES, decode_json, encode_json

BOM = b"\xef\xbb\xbf"
READ = [
    (b"123456789012345678901", 123456789012345678901),
    (b"-123456789012345678901", -123456789012345678901),
    (b"18446744073709551615", 2**64 - 1),
    (b"18446744073709551616", 2**64),
    (b"-9223372036854775808", -(2**63)),
    (b"-9223372036854775809", -(2**63) - 1),
    (b"[1,99999999999999999999]", [1, 99999999999999999999]),
    (b'{"a":99999999999999999999}', {"a": 99999999999999999999}),
    (b'{"a" : \n99999999999999999999\t}', {"a": 99999999999999999999}),
    (b"[" + b"9" * 308 + b"]", [int("9" * 308)]),
    (b"[99999999999999999999.0]", [1e20]),
    (b"[99999999999999999999e0]", [1e20]),
    (b'["99999999999999999999"]', ["99999999999999999999"]),
    (b'["a, 99999999999999999999, b"]', ["a, 99999999999999999999, b"]),
    (BOM + b'{"v":1}', {"v": 1}),
    (BOM + b"99999999999999999999", 99999999999999999999),
    (b'"\\ud83d\\ude00"', "\U0001f600"),
    (b'{"a":1,"a":2}', {"a": 2}),
    (b"-0.0", -0.0),
]
HALVES = [
    (b'[{"text":"cut \\ud83d"}]', [{"text": "cut \ud83d"}]),
    (b'"\\udc00x"', "\udc00x"),
    (b'{"\\uD83D":1}', {"\ud83d": 1}),
    (b'["\\ud83d\\u0041", "\\ud83d\\ude00"]', ["\ud83dA", "\U0001f600"]),
    (BOM + b'["\\ud83d",99999999999999999999]', ["\ud83d", 99999999999999999999]),
]
REFUSED = [
    b"",
    BOM,
    BOM + BOM + b"1",
    b"NaN",
    b"1e999",
    b"01",
    b"[1,]",
    b"{",
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b"\xff\xfe1\x00",
    b"[" * 5000 + b"]" * 5000,
    b"9" * 4301,
    b'["\\ud83d", NaN]',
    b'["\\ud83d", -Infinity]',
    b'["\\ud83d", 1e999]',
    b'["\\ud83d",]',
    b'["\\ud83d", "\n"]',
    b'"\\ud83d\xff"',
    b'["\\ud83d",' + b"[" * 5000 + b"]" * 5001,
    b"[99999999999999999999, 1e999]",
]


@pytest.mark.parametrize("halves", [True, False])
@pytest.mark.parametrize(("raw", "value"), READ, ids=range(len(READ)))
def test_it_is_read_as_it_stands(raw, value, halves):
    found = decode_json(raw, halves=halves)
    assert found == value
    assert repr(found) == repr(value)


@pytest.mark.parametrize(("raw", "value"), HALVES, ids=range(len(HALVES)))
def test_halves_of_surrogate_pairs_are_read_where_they_may_be(raw, value):
    assert decode_json(raw, halves=True) == value
    with pytest.raises(ValueError, match=r"half of a surrogate pair"):
        decode_json(raw, halves=False)


@pytest.mark.parametrize("raw", REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_json_stays_none(raw):
    with pytest.raises(ValueError):  # noqa: PT011 - each library has its own words
        decode_json(raw, halves=True)


def test_halves_in_much_json_are_not_read():
    cut = b'"\\ud83d"'
    fits = b"[" + cut + b"," + b" " * (_MOST_WITH_HALVES - 3 - len(cut) - 1) + b"1]"
    assert decode_json(fits, halves=True) == ["\ud83d", 1]
    with pytest.raises(ValueError, match=r"surrogate"):
        decode_json(fits + b" ", halves=True)


@pytest.mark.parametrize("at", [0, 1, 4095, 300_000])
@pytest.mark.parametrize("digits", [b"-9223372036854775809", b"18446744073709551616"])
def test_a_long_integer_is_found_wherever_it_stands(digits, at):
    raw = b"[" + b" " * at + digits + b"," + b" " * 50 + b"1]"
    assert decode_json(raw, halves=True) == [int(digits), 1]


@pytest.mark.parametrize("before", range(4))
def test_a_long_integer_is_found_at_any_offset(before):
    assert decode_json(b" " * before + b"18446744073709551616", halves=True) == 2**64
    assert decode_json(b" " * before + b"-9223372036854775809", halves=True) == -(2**63) - 1


def test_a_long_run_of_digits_within_a_text_costs_no_second_reading(monkeypatch):
    def slowly(_raw):
        raise AssertionError

    monkeypatch.setattr("bff.model.json_text._decoded_slowly", slowly)
    ids = [f"{10**25 + number}" for number in range(1000)]
    assert decode_json(orjson.dumps(ids), halves=True) == ids
    assert decode_json(b"[1.00000000000000000000]", halves=True) == [1.0]
    assert decode_json(b"[1000000000000000000, 9999999999999999999]", halves=True)


TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(TREES)
def test_what_is_written_is_read_back(value):
    assert decode_json(encode_json(value), halves=True) == value


@given(TREES)
def test_what_others_write_is_read_as_the_standard_library_reads_it(value):
    text = json.dumps(value)
    assert decode_json(text.encode(), halves=True) == json.loads(text)


def test_equal_values_are_the_same_bytes():
    for more in (1, 2**70, "\ud83d"):
        one, other = {"b": 1, "a": more}, {"a": more, "b": 1}
        assert encode_json(one, sort=True) == encode_json(other, sort=True)


@pytest.mark.parametrize("value", [{1, 2}, object(), [2**70, object()]])
def test_what_json_has_no_word_for_is_refused(value):
    with pytest.raises(TypeError):
        encode_json(value)


def test_what_is_nested_too_deeply_or_not_finite_beside_a_long_integer_is_refused():
    deep = 2**70
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ValueError, match="deeply"):
        encode_json(deep)
    with pytest.raises(ValueError, match="JSON"):
        encode_json([2**70, float("inf")])
