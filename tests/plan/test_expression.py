"""Expressions: compiled once, refused at load, null where nothing is found."""

import jmespath
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bff.errors import ConfigError, Unfillable
from bff.model.source import Place, Source
from bff.plan.expression import Expression, truthy

SCOPE = {"user": {"name": "Ada", "tags": ["a", "b"], "n": 3}, "none": None, "list": [{"x": 1}]}


def expression(text):
    return Expression(Source(text, Place("view.yaml", 3, 7)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("user.name", "Ada"),
        ("user.name.first", None),
        ("user.gone", None),
        ("none.x", None),
        ("list.x", None),
        ("user.tags[1]", "b"),
        ("list[].x", [1]),
        ("none[].x", None),
        ("length(user.tags)", 2),
        ("user.n > `2`", True),
        ("user.gone || 'x'", "x"),
        ('"user"."name"', "Ada"),
    ],
)
def test_values(text, value):
    assert expression(text).value(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a JMESPath expression"),
        ("user.", "not a JMESPath expression"),
        ("user..name", "not a JMESPath expression"),
        ("a b", "not a JMESPath expression"),
        ("lenght(user)", "no function `lenght"),
        ("user[].lenght(@)", "no function `lenght"),
        ("length()", "takes 1 argument"),
        ("length(a, b)", "takes 1 argument"),
        ("join(a)", "takes 2 argument"),
    ],
)
def test_what_does_not_compile_says_where_it_stands(text, told):
    with pytest.raises(ConfigError, match=told) as error:
        expression(text)
    assert error.value.problems[0].place == Place("view.yaml", 3, 7)


def test_a_function_is_suggested():
    with pytest.raises(ConfigError) as error:
        expression("lenght(user)")
    assert error.value.problems[0].hint == "did you mean `length`?"


@pytest.mark.parametrize(
    "text",
    ["length(none)", "sum(user.tags)", "abs(user.name)", "sort_by(list, &y)", "avg(`[null]`)"],
)
def test_a_function_that_meets_the_wrong_type_is_unfillable(text):
    with pytest.raises(Unfillable):
        expression(text).value(SCOPE)


@pytest.mark.parametrize("text", ["abs(x)", "sum(x)", "length(x)", "sort(x)", "keys(x)", "ceil(x)"])
@pytest.mark.parametrize("value", ["SECRET", ["SECRET", {"SECRET": 1}], [["SECRET"]]])
def test_a_fault_tells_no_data(text, value):
    try:
        expression(text).value({"x": value})
    except Unfillable as fault:
        told = str(fault)
        assert "SECRET" not in told


@pytest.mark.parametrize(
    ("value", "true"),
    [
        (None, False),
        (False, False),
        ("", False),
        ([], False),
        ({}, False),
        (0, True),
        (0.0, True),
        ("x", True),
        ([0], True),
        ({"a": None}, True),
        (True, True),
    ],
)
def test_truth_is_jmespaths(value, true):
    assert truthy(value) is true


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.too_slow])  # of a busy machine it says nothing
@given(st.dictionaries(st.sampled_from("abc"), JSON))
def test_the_short_cut_for_plain_paths_finds_what_jmespath_finds(scope):
    made = expression("a.b.c")
    assert made.value(scope) == made._interpret(scope)


@pytest.mark.parametrize("value", [{"a": 1, "b": {"c": [2]}}, {"a": None}, {}, [{"a": 1}], "a", 3])
@pytest.mark.parametrize(
    "text",
    ["x.{a: a, b: b.c, n: type(a), all: @}", "x.{a: a, a: b}", "[x, x][].{a: a}", "x.[a, {b: b}]"],
)
def test_a_multi_select_is_what_the_library_makes_of_it(text, value):
    scope = {"x": value}
    assert Expression(Source(text, Place("v.yaml"))).value(scope) == jmespath.search(text, scope)
