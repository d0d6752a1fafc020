"""Named values: when they are computed, and what of an expression they take the place of."""

import pytest

from bff.errors import Unfillable
from bff.model.source import Place, Source
from bff.plan.dependencies import reads
from bff.plan.expression import COMPUTED, Expression
from bff.plan.names_at_root import names_at_root
from bff.plan.values import used_values, with_values

PLACE = Place("views/page.yaml")


def expression(text: str, **values: str) -> Expression:
    named: dict[str, Expression] = {}
    for name, each in values.items():
        named[name] = Expression(with_values(Source(each, PLACE), dict(named)))
    return Expression(with_values(Source(text, PLACE), named))


def test_a_value_is_computed_once_for_all_that_use_it():
    one, two = expression("id", id="uuid()"), expression("[id, {id: id}]", id="uuid()")
    scope = {COMPUTED: {}}
    first = one.value(scope)
    assert two.value(scope) == [first, {"id": first}]
    assert one.value({COMPUTED: {}}) != first


def test_a_value_that_cannot_be_computed_is_so_in_each_place_and_tried_once():
    total = expression("total", total="sum(lines)")
    scope = {COMPUTED: {}, "lines": None}
    for _ in range(2):
        with pytest.raises(Unfillable, match=r"`sum\(lines\)`: sum\(\) cannot take"):
            total.value(scope)
        scope["lines"] = [1]  # too late: it was computed


def test_without_a_request_a_value_is_computed_where_it_is_used():
    assert expression("total", total="sum(lines)").value({"lines": [1, 2]}) == 3


def test_values_use_values():
    assert expression("c", a="x", b="add(a, `1`)", c="[a, b]").value({"x": 1}) == [1, 2]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a", {"a"}),
        ("a.b", {"a"}),
        ("a[].b", {"a"}),
        ("a[?b].c", {"a"}),
        ("[a, b.c]", {"a", "b"}),
        ("{x: a}", {"a"}),
        ("a || b && !c", {"a", "b", "c"}),
        ("a == b", {"a", "b"}),
        ("sort_by(a, &b)", {"a"}),
        ("a | b", {"a"}),
        ("@.a", {"a"}),
        ("a[0][1:2]", {"a"}),
        ("values(a).*.b", {"a"}),
    ],
)
def test_only_names_in_the_scope_itself_are_values(text, names):
    assert names_at_root(Expression(Source(text, PLACE)).ast) == names


def test_what_a_value_reads_is_read_by_what_uses_it():
    used = expression("total > params.limit", total="sum(cart.lines[].price)")
    assert reads(used).all == {("cart", "lines", "price"), ("params", "limit")}


def test_a_value_that_copies_items_is_read_whole():
    merged = "merge(user, {a: `1`})"
    assert ("user",) in reads(expression("v.name", v=merged)).decides
    assert reads(expression("v.name", v="user")).all == {("user", "name")}


def test_values_are_used_directly_or_through_others():
    values = {"a": expression("x"), "b": expression("y"), "c": expression("z")}
    values["c"] = Expression(with_values(Source("a", PLACE), {"a": values["a"]}))
    user = Expression(with_values(Source("c.d", PLACE), values))
    assert list(used_values([user], values)) == ["a", "c"]
