"""The functions of expressions: what each makes, and what none of them can be given."""

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bff.errors import Unfillable
from bff.model.source import Place, Source
from bff.plan.expression import Expression
from bff.plan.functions import FUNCTIONS, UNSTABLE, register

PEOPLE = [{"id": 7, "n": "a"}, {"id": "8", "n": "b"}, {"n": "c"}, "text", None, {"id": None}]
SAMPLES = {  # an argument of each type, with something in it that nobody may be told
    "string": "S3CRET",
    "number": 1,
    "array": ["S3CRET"],
    "object": {"S3CRET": 1},
    "boolean": True,
    "null": None,
}
OWN = {
    name: entry
    for name, entry in FUNCTIONS.FUNCTION_TABLE.items()
    if name
    in {"add", "sub", "mul", "div", "mod", "round", "slice", "split", "replace", "lookup"}
    | {"group", "upsert", "without", "unique", "base64", "date", "format_money", "uuid", "now"}
}


def value(text, **scope):
    return Expression(Source(text, Place("t"))).value(scope)


def call(name, *arguments):
    """What a function makes of these values."""
    names = [f"a{at}" for at in range(len(arguments))]
    return value(f"{name}({', '.join(names)})", **dict(zip(names, arguments, strict=True)))


NUMBERS = [
    ("add", (1, 2), 3),
    ("add", (1, 2.5), 3.5),
    ("add", (0.5, 0.5), 1),
    ("sub", (1, 3), -2),
    ("mul", (3, 1.5), 4.5),
    ("mul", (2**40, 2**20), 2**60),
    ("div", (7, 2), 3.5),
    ("div", (6, 3), 2),
    ("div", (-6, 4), -1.5),
    ("mod", (7, 3), 1),
    ("mod", (7.5, 2), 1.5),
    ("round", (2.5, 0), 2),
    ("round", (3.5, 0), 4),
    ("round", (2.345, 2), 2.34),
    ("round", (2.355, 2), 2.36),
    ("round", (-2.345, 2), -2.34),
    ("round", (1.005, 2), 1),
    ("round", (2, 5), 2),
    ("round", (1234, -2), 1200),
    ("round", (9007199254740993, 0), 9007199254740993),
    ("round", (9007199254740993, 2), 9007199254740993),
    ("round", (12345678901234567, -1), 12345678901234570),
]


@pytest.mark.parametrize(("name", "arguments", "wanted"), NUMBERS)
def test_numbers(name, arguments, wanted):
    found = call(name, *arguments)
    assert found == wanted
    assert type(found) is type(wanted)


TEXTS = [
    ("slice", ("abcdef", 1, 3), "bc"),
    ("slice", ("abcdef", 2, None), "cdef"),
    ("slice", ("abcdef", -2, None), "ef"),
    ("slice", ("abcdef", 0, -1), "abcde"),
    ("slice", ("abc", 5, 9), ""),
    ("slice", ("äö😀x", 1, 3), "ö😀"),
    ("split", ("a,b,,c", ","), ["a", "b", "", "c"]),
    ("split", ("", ","), [""]),
    ("replace", ("aXbX", "X", "--"), "a--b--"),
    ("replace", ("abc", "x", "y"), "abc"),
    ("replace", ("a.b", ".", r"\1"), r"a\1b"),
    ("base64", ("",), ""),
    ("base64", ("ö?>",), "w7Y/Pg=="),
    ("date", ("2026-02-03", "%d.%m.%Y"), "03.02.2026"),
    ("date", ("2026-02-03T04:05:06", "%H:%M:%S"), "04:05:06"),
    ("date", ("2026-02-03T04:05:06Z", "%H:%M %z"), "04:05 +0000"),
    ("date", ("2026-02-03T23:30:00-05:00", "%d %H:%M %z"), "03 23:30 -0500"),
    ("date", ("2026-02-03T23:30:00.123456+05:30", "%d %f"), "03 123456"),
    ("date", ("2024-02-29", "%j"), "060"),
    ("date", (None, "%Y"), None),
    ("format_money", (123450, "EUR"), "1,234.50 EUR"),
    ("format_money", (5, "EUR"), "0.05 EUR"),
    ("format_money", (0, "EUR"), "0.00 EUR"),
    ("format_money", (-123, "EUR"), "-1.23 EUR"),
    ("format_money", (1234, "JPY"), "1,234 JPY"),
    ("format_money", (1234, "VUV"), "1,234 VUV"),
    ("format_money", (1234567, "KWD"), "1,234.567 KWD"),
    ("format_money", (2**53 + 1, "EUR"), "90,071,992,547,409.93 EUR"),
    ("format_money", (None, "EUR"), None),
]


@pytest.mark.parametrize(("name", "arguments", "wanted"), TEXTS)
def test_texts(name, arguments, wanted):
    assert call(name, *arguments) == wanted


LISTS = [
    ("lookup", (PEOPLE, "id", 7), PEOPLE[0]),
    ("lookup", (PEOPLE, "id", "7"), PEOPLE[0]),
    ("lookup", (PEOPLE, "id", 8), PEOPLE[1]),
    ("lookup", (PEOPLE, "id", 9), None),
    ("lookup", (PEOPLE, "id", None), PEOPLE[5]),
    ("lookup", (PEOPLE, "none", 7), None),
    ("lookup", ([{"id": 1}, {"id": True}], "id", True), {"id": True}),
    ("lookup", ([{"id": True}], "id", 1), None),
    ("lookup", ([{"id": True}], "id", "True"), None),
    ("lookup", ([{"id": True}], "id", "true"), {"id": True}),
    ("lookup", (None, "id", 7), None),
    ("lookup", ([], "id", 7), None),
    (
        "group",
        ([{"k": "a", "n": 1}, {"k": "b", "n": 2}, {"k": "a", "n": 3}], "k"),
        [
            {"key": "a", "items": [{"k": "a", "n": 1}, {"k": "a", "n": 3}]},
            {"key": "b", "items": [{"k": "b", "n": 2}]},
        ],
    ),
    ("group", ([{"n": 1}, "x"], "k"), [{"key": None, "items": [{"n": 1}, "x"]}]),
    ("group", ([{"k": 1}, {"k": 1.0}], "k"), [{"key": 1, "items": [{"k": 1}, {"k": 1.0}]}]),
    ("group", (None, "k"), []),
    (
        "upsert",
        ([{"id": 1}, {"id": 2}], "id", {"id": "2", "n": 1}),
        [{"id": 1}, {"id": "2", "n": 1}],
    ),
    ("upsert", ([{"id": 1}], "id", {"id": 2}), [{"id": 1}, {"id": 2}]),
    ("upsert", ([{"id": 1}], "id", {"n": 2}), [{"id": 1}, {"n": 2}]),
    ("upsert", (None, "id", {"id": 2}), [{"id": 2}]),
    ("without", ([{"id": 1}, {"id": "1"}, {"n": 1}, 1], "id", 1), [{"n": 1}, 1]),
    ("without", (None, "id", 1), []),
    ("unique", ([1, 2, 1, 3, 2],), [1, 2, 3]),
    ("unique", (["b", "a", "b"],), ["b", "a"]),
    ("unique", ([1, "1", True, 1.0],), [1, "1", True]),
    ("unique", ([{"a": 1, "b": 2}, {"b": 2, "a": 1}],), [{"a": 1, "b": 2}]),
    ("unique", ([None, None],), [None]),
    ("unique", (None,), []),
]


@pytest.mark.parametrize(("name", "arguments", "wanted"), LISTS)
def test_lists(name, arguments, wanted):
    before = orjson.dumps(arguments)
    assert orjson.dumps(call(name, *arguments)) == orjson.dumps(wanted)
    assert orjson.dumps(arguments) == before, "a function changed what it was given"


IMPOSSIBLE = [
    ("div", (1, 0)),
    ("mod", (1, 0)),
    ("mul", (1e200, 1e200)),
    ("add", (10**400, 0.5)),
    ("split", ("abc", "")),
    ("date", ("S3CRET", "%Y")),
    ("date", ("2026-02-30", "%Y")),
    ("date", ("", "%Y")),
]


@pytest.mark.parametrize(("name", "arguments"), IMPOSSIBLE)
def test_what_cannot_be_computed(name, arguments):
    with pytest.raises(Unfillable) as caught:
        call(name, *arguments)
    assert "S3CRET" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(OWN))
@pytest.mark.parametrize("kind", sorted(SAMPLES))
def test_wrong_types_are_refused_without_their_value(name, kind):
    signature = OWN[name]["signature"]
    for position, declared in enumerate(signature):
        if not declared["types"] or kind in declared["types"]:
            continue
        good = [SAMPLES[(each["types"] or ["string"])[0]] for each in signature]
        with pytest.raises(Unfillable) as caught:
            call(name, *[*good[:position], SAMPLES[kind], *good[position + 1 :]])
        assert "S3CRET" not in str(caught.value)
        assert name in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.sampled_from(sorted(OWN)), st.lists(JSON, min_size=4, max_size=4))
def test_whatever_they_are_given_they_make_json_or_say_that_they_cannot(name, arguments):
    try:
        found = call(name, *arguments[: len(OWN[name]["signature"])])
    except Unfillable:
        return
    if all(_is_json(each) for each in arguments):
        orjson.dumps(found)


def _is_json(argument):
    try:
        orjson.dumps(argument)
    except TypeError:
        return False
    return True


@given(st.integers(-(2**53), 2**53), st.integers(-(2**53), 2**53))
def test_whole_numbers_stay_exact(one, other):
    assert call("sub", call("add", one, other), other) == one


@given(st.lists(st.integers(0, 3) | st.sampled_from(["0", "1", "a"])))
def test_unique_keeps_the_first_of_equal_elements_in_order(elements):
    assert call("unique", elements) == list(
        {(type(each), each): each for each in elements}.values()
    )


@given(st.lists(st.fixed_dictionaries({"k": st.sampled_from("abc"), "n": st.integers(0, 9)})))
def test_group_loses_nothing(elements):
    groups = call("group", elements, "k")
    assert sorted((each["k"], each["n"]) for group in groups for each in group["items"]) == sorted(
        (each["k"], each["n"]) for each in elements
    )
    assert all(each["k"] == group["key"] for group in groups for each in group["items"])


def test_uuid_is_another_each_time():
    found = {value("uuid()") for _ in range(20)}
    assert len(found) == 20
    assert {UUID(each).version for each in found} == {4}


def test_now_is_now_in_utc():
    found = value("now()")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found)
    assert abs(datetime.fromisoformat(found) - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_is_never_the_same_twice_is_known():
    assert sorted(UNSTABLE) == ["now", "uuid"]


def test_a_function_of_python_can_be_registered():
    table = FUNCTIONS.FUNCTION_TABLE
    try:
        register(
            "shout", lambda text, times: text.upper() + "!" * times, "string", ("number", "null")
        )
        assert value("shout(name, `2`)", name="ada") == "ADA!!"
        with pytest.raises(Unfillable, match="boolean"):
            value("shout(name, `2`)", name=True)
        with pytest.raises(ValueError, match="already"):
            register("shout", lambda: None)
    finally:
        FUNCTIONS.FUNCTION_TABLE = table
    with pytest.raises(ValueError, match="already"):
        register("length", lambda _: 0, "string")


@pytest.mark.parametrize("raised", [ValueError("S3CRET"), SystemExit("S3CRET")])
def test_what_a_function_of_python_raises_ends_its_expression_and_no_more(raised):
    def stop():
        raise raised

    table = FUNCTIONS.FUNCTION_TABLE
    try:
        register("stop", stop)
        with pytest.raises(Unfillable, match=type(raised).__name__) as caught:
            value("stop()")
    finally:
        FUNCTIONS.FUNCTION_TABLE = table
    assert "S3CRET" not in str(caught.value)
