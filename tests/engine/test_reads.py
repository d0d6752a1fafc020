"""What an expression reads, as paths."""

import pytest

from bff.engine.expression import Expression
from bff.engine.reads import Reads, reads, together
from bff.model.source import Place, Source


def of(text, **bound):
    return reads(Expression(Source(text, Place("t"))), bound)


def paths(text):
    return frozenset(tuple(each.split(".")) for each in text.split())


@pytest.mark.parametrize(
    ("text", "result", "decides"),
    [
        ("user", "user", ""),
        ("user.name.first", "user.name.first", ""),
        ('"user"."name"', "user.name", ""),
        ("orders[0].id", "orders.id", ""),
        ("orders[:3].id", "orders.id", ""),
        ("orders[-1]", "orders", ""),
        ("orders[].lines[].id", "orders.lines.id", ""),
        ("orders[*].id", "orders.id", ""),
        ("orders[*]", "orders", ""),
        ("orders | [0].id", "orders.id", ""),
        ("orders[].{id: id, t: product.title}", "orders.id orders.product.title", ""),
        ("orders[].[id, product.title]", "orders.id orders.product.title", ""),
        ("orders[].{all: @}", "orders", ""),
        ("user.{n: name, o: first.last}", "user.name user.first.last", ""),
        ("{a: user.x, b: orders}", "user.x orders", ""),
        ("orders[?total > `5`].id", "orders.id", "orders.total"),
        ("orders[?a.b == 'x' && c]", "orders", "orders.a.b orders.c"),
        ("orders[?!gone]", "orders", "orders.gone"),
        ("orders[?contains(tags, 'x')].id", "orders.id", "orders.tags"),
        ("user.plan == 'pro'", "", "user.plan"),
        ("!(user.plan)", "", "user.plan"),
        ("user.plan && orders", "user.plan orders", ""),
        ("user.name || 'x'", "user.name", ""),
        ("length(orders)", "orders", ""),
        ("sum(orders[].total)", "orders.total", ""),
        ("sort_by(orders, &product.price)", "orders orders.product.price", ""),
        ("sort_by(orders, &price)[0].id", "orders.id orders.price.id", ""),
        ("map(&product.title, orders)", "orders orders.product.title", ""),
        ("max_by(orders[].lines[], &n).id", "orders.lines.id orders.lines.n.id", ""),
        ("join(', ', orders[].id)", "orders.id", ""),
        ("user.*", "user", "user"),
        ("user.*.name", "user.name", "user"),
        ("`1`", "", ""),
        ("'user.name'", "", ""),
        ("[user.a, `2`]", "user.a", ""),
        ("merge(user, {a: orders})", "user orders", ""),
        ("orders[][]", "orders", ""),
        ("(user || session).name", "user.name session.name", ""),
    ],
)
def test_paths_that_flow_on_and_paths_that_only_decide(text, result, decides):
    found = of(text)
    assert found == Reads(paths(result), paths(decides))


def test_a_bound_name_stands_for_what_it_was_selected_from():
    bound = {"item": frozenset({("orders", "lines")})}
    assert of("item.product_id", **bound).result == paths("orders.lines.product_id")
    assert of("orders[].item", **bound).result == paths("orders.item"), "a field of that name"
    assert of("[item, user]", **bound).result == paths("orders.lines user")


def test_the_current_node_alone_is_everything():
    assert of("@").result == {()}
    assert of("@").roots == {""}


def test_together_is_the_union():
    both = together([of("a.b"), of("c[?d].e")])
    assert both == Reads(paths("a.b c.e"), paths("c.d"))
    assert both.roots == {"a", "c"}
    assert together([]) == Reads()
