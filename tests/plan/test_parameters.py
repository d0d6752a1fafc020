"""Parameters: text becomes typed values, or the client is told what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.model.source import Place
from bff.model.view import Param
from bff.plan.parameters import BadValue, decode


def param(**declared):
    return Param("x", Place("t"), **declared)


UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
ITEMS = param(type="integer", minimum=1, maximum=9)


@pytest.mark.parametrize(
    ("declared", "texts", "value"),
    [
        ({}, ["a"], "a"),
        ({}, [""], ""),
        ({"type": "integer"}, ["-7"], -7),
        ({"type": "integer"}, ["007"], 7),
        ({"type": "integer"}, ["1234567890123456789"], 1234567890123456789),
        ({"type": "integer"}, ["-9223372036854775808"], -(2**63)),
        ({"type": "integer"}, ["18446744073709551615"], 2**64 - 1),
        ({"type": "integer"}, ["00000000000000000000000007"], 7),
        ({"type": "number"}, ["9007199254740993"], 9007199254740993),
        ({"type": "number"}, ["1234567890123456789"], 1234567890123456789),
        ({"type": "array", "items": param(type="integer")}, ["9223372036854775807"], [2**63 - 1]),
        ({"type": "number"}, ["1.50"], 1.5),
        ({"type": "number"}, ["2"], 2),
        ({"type": "number"}, ["1e3"], 1000.0),
        ({"type": "boolean"}, ["true"], True),
        ({"type": "boolean"}, ["false"], False),
        ({"type": "array"}, ["a", "b", "a"], ["a", "b", "a"]),
        ({"type": "array", "items": ITEMS}, ["1", "9"], [1, 9]),
        ({"required": False}, [], None),
        ({"required": False, "default": 5, "type": "integer"}, [], 5),
        ({"required": False, "default": [], "type": "array"}, [], []),
        ({"type": "integer", "minimum": 1, "maximum": 3}, ["3"], 3),
        ({"type": "integer", "multiple_of": 5}, ["15"], 15),
        ({"type": "number", "multiple_of": 0.1}, ["0.3"], 0.3),
        ({"type": "number", "multiple_of": 0.01}, ["19.99"], 19.99),
        ({"enum": ("a", "b")}, ["b"], "b"),
        ({"type": "integer", "enum": (1, 2)}, ["2"], 2),
        ({"min_length": 2, "max_length": 3}, ["éé"], "éé"),
        ({"pattern": "^a+$"}, ["aaa"], "aaa"),
        ({"pattern": "b"}, ["abc"], "abc"),
        ({"format": "date"}, ["2026-02-28"], "2026-02-28"),
        ({"format": "date-time"}, ["2026-02-28T10:00:00Z"], "2026-02-28T10:00:00Z"),
        ({"format": "email"}, ["a@b.example"], "a@b.example"),
        ({"format": "uuid"}, [UUID], UUID),
    ],
)
def test_values(declared, texts, value):
    found = decode(param(**declared), texts)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("declared", "texts", "told"),
    [
        ({}, [], "is required"),
        ({}, ["a", "b"], "more than once"),
        ({"type": "integer"}, [""], "not of type integer"),
        ({"type": "integer"}, ["1.0"], "not of type integer"),
        ({"type": "integer"}, ["1e3"], "not of type integer"),
        ({"type": "integer"}, [" 1"], "not of type integer"),
        ({"type": "integer"}, ["1\n"], "not of type integer"),
        ({"type": "integer"}, ["٣"], "not of type integer"),
        ({"type": "integer"}, ["0x10"], "not of type integer"),
        ({"type": "integer"}, ["1_000"], "not of type integer"),
        ({"type": "integer"}, ["9" * 5000], "not of type integer"),
        ({"type": "number"}, ["nan"], "not of type number"),
        ({"type": "number"}, ["inf"], "not of type number"),
        ({"type": "number"}, ["1e999"], "not of type number"),
        ({"type": "boolean"}, ["True"], "not of type boolean"),
        ({"type": "boolean"}, ["1"], "not of type boolean"),
        ({"type": "integer", "minimum": 1}, ["0"], "less than 1"),
        ({"type": "integer", "maximum": 9}, ["10"], "greater than 9"),
        ({"type": "integer", "multiple_of": 5}, ["12"], "not a multiple of 5"),
        ({"type": "integer", "multiple_of": 10}, ["100000000000000001"], "not a multiple of 10"),
        ({"type": "number", "multiple_of": 0.1}, ["0.35"], "not a multiple of 0.1"),
        ({"enum": ("a", "b")}, ["c"], "is not one of a, b"),
        ({"min_length": 2}, ["a"], "fewer than 2 characters"),
        ({"max_length": 2}, ["abc"], "more than 2 characters"),
        ({"pattern": "^a+$"}, ["ab"], "not have the form"),
        ({"format": "date"}, ["2026-02-30"], "is no date"),
        ({"format": "uuid"}, ["x"], "is no uuid"),
        ({"format": "email"}, ["a@b"], "is no email"),
        ({"type": "array", "items": ITEMS}, ["1", "x"], "not of type integer"),
        ({"type": "array", "items": ITEMS}, ["1", "10"], "greater than 9"),
        ({"type": "array", "max_items": 1}, ["a", "b"], "more than 1 values"),
        ({"type": "array", "min_items": 2}, ["a"], "fewer than 2 values"),
        ({"type": "array"}, ["a"] * 101, "more than 100 values"),
        ({"type": "array", "enum": ("a",)}, ["a", "b"], "not one of a"),
    ],
)
def test_what_is_not_as_declared(declared, texts, told):
    with pytest.raises(BadValue, match=told):
        decode(param(**declared), texts)


TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array"])
FORMATS = st.none() | st.sampled_from(["date", "date-time", "email", "uuid"])


@given(
    TYPES, FORMATS, st.lists(st.text(max_size=8) | st.from_regex(r"[-+0-9.eE]{0,9}"), max_size=3)
)
def test_any_text_is_a_value_of_the_type_or_a_bad_value(kind, form, texts):
    declared = param(type=kind, format=form if kind == "string" else None, required=False)
    try:
        value = decode(declared, texts)
    except BadValue as bad:
        told = str(bad)
        assert told
        return
    types = {"string": {str}, "integer": {int}, "number": {int, float}, "boolean": {bool}}
    assert value is None or type(value) in {"array": {list}, **types}[kind]


@pytest.mark.parametrize(
    "text", ["18446744073709551616", "-9223372036854775809", "9" * 40, "-" + "9" * 1000]
)
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_a_whole_number_beyond_64_bits_is_too_large(kind, text):
    with pytest.raises(BadValue, match="too large"):
        decode(param(type=kind), [text])
