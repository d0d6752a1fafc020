"""JMESPath's own functions and comparisons, as its specification has them."""

import math

import pytest

from bff.errors import Unfillable
from bff.model.source import Place, Source
from bff.plan.expression import Expression

PRICES = {
    "list": [{"price": 20}, {"price": "12"}, {"price": None}, {}, {"price": True}, {"price": 10.5}]
}


def value(text, scope=None):
    return Expression(Source(text, Place("view.yaml", 3, 7))).value(scope or {})


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
@pytest.mark.parametrize("other", ['"12"', "null", "true", "[1]", '{"a": 1}'])
def test_what_is_no_number_has_no_order(operator, other):
    assert value(f"`10` {operator} `{other}`") is None
    assert value(f"`{other}` {operator} `10`") is None


def test_items_that_cannot_be_compared_are_left_out():
    assert value("list[?price > `10`].price", PRICES) == [20, 10.5]
    assert value("list[?price <= `20` && price > '1'].price", PRICES) == []
    assert value("list[?!(price > `10`)].price", PRICES) == ["12", True]
    assert value("list[].{cheap: price < `15`}", PRICES)[:2] == [{"cheap": False}, {"cheap": None}]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("`2` > `1.5`", True),
        ("`123456789012345678901` > `1`", True),
        ("'2024-03-01' > '2024-02-29'", True),
        ("`1` == `1.0`", True),
        ("`1` == `true`", False),
        ("`[1]` == `[true]`", False),
        ("`[0]` != `[false]`", True),
        ('`{"a": [1]}` == `{"a": [true]}`', False),
        ('`{"a": 1, "b": 2}` == `{"b": 2, "a": 1}`', True),
        ("`[[true]]` == `[[true]]`", True),
        ("contains(`[1, 2]`, `true`)", False),
        ("contains(`[1, 2]`, `2.0`)", True),
        ("contains(`[true]`, `true`)", True),
        ("contains('12', `1`)", False),
        ("contains('12', '1')", True),
        ("to_number('12')", 12),
        ("to_number('-1.5e3')", -1500.0),
        ("to_number('123456789012345678901')", 123456789012345678901),
        ("to_number('1_000')", None),
        ("to_number(' 1')", None),
        ("to_number('1\n')", None),
        ("to_number('01')", None),
        ("to_number('nan')", None),
        ("to_number('Infinity')", None),
        ("to_number('1e999')", None),
        ("to_number('\u0661')", None),
        ("to_number(`true`)", None),
        ("to_number(`7`)", 7),
        ("sum(`[]`)", 0),
        ("avg(`[]`)", None),
        ("avg(`[1, 2]`)", 1.5),
    ],
)
def test_values(text, wanted):
    found = value(text)
    assert found == wanted
    assert type(found) is type(wanted)


def test_a_number_of_more_digits_than_python_reads_is_none_or_finite():
    assert value(f"to_number('{'9' * 5000}')") is None
    assert value(f"to_number('0.{'9' * 5000}')") == 1.0


@pytest.mark.parametrize(
    "text",
    [
        "sum(`[1e308, 1e308]`)",
        "sum(`[-1e308, -1e308]`)",
        "avg(`[1e308, 1e308]`)",
        "sort_by(list, &price)",
        "max_by(list, &price)",
        'min_by(`[{"p": 1}, {"p": "1"}]`, &p)',
        'max(`[1, "1"]`)',
        "contains(`1`, '1')",
    ],
)
def test_what_the_specification_calls_an_error_stays_one(text):
    with pytest.raises(Unfillable):
        value(text, PRICES)


def test_no_function_gives_a_number_that_json_cannot_write():
    texts = ["to_number('nan')", "to_number('-inf')", "avg(`[1]`)", "abs(`-1e308`)"]
    assert all(found is None or math.isfinite(found) for found in map(value, texts))
