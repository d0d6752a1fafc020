"""What an expression reads, as paths."""

import pytest

from bff.model.source import Place, Source
from bff.plan.dependencies import Reads, are_elements, reads, together
from bff.plan.expression import Expression


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
        ("user.plan && orders", "orders", "user.plan"),
        ("user.name || 'x'", "user.name", ""),
        ("length(orders)", "", "orders"),
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
    assert (found.result, found.decides | found.counts) == (paths(result), paths(decides))
    assert found.all == paths(result) | paths(decides)


@pytest.mark.parametrize(
    ("text", "counts", "whole"),
    [
        ("length(orders)", "orders", ""),
        ("length(orders[?open].lines[])", "orders.lines orders.open", ""),
        ("orders[].length(lines)", "orders.lines", ""),
        ("orders[].{n: length(@)}", "", "orders"),
        ("length(orders[0])", "", "orders"),
        ("length(orders) > `0` && orders", "orders", "orders"),
        ("!orders", "orders", ""),
        ("!orders[0]", "", "orders"),
        ("orders && 'some' || 'none'", "orders", ""),
        ("orders || 'none'", "", "orders"),
        ("orders == null", "orders", "null"),
        ("orders != `[]`", "orders", ""),
        ("orders == `{}`", "", "orders"),
        ("orders == users", "", "orders users"),
        ("orders[0].total > `3`", "orders.total", ""),
        ("type(orders[0]) == 'object'", "orders", ""),
        ("orders[?lines].id", "orders.lines", "orders.id"),
    ],
)
def test_what_is_counted_or_tested_is_not_read_whole(text, counts, whole):
    found = of(text)
    assert (found.counts, found.whole) == (paths(counts), paths(whole))


def test_an_item_is_read_whole_where_its_fields_are_counted():
    item = {"item": frozenset({("orders",)})}
    assert of("length(item)", **item).whole == paths("orders")
    assert of("length(item.lines)", **item).counts == paths("orders.lines")


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("orders", True),
        ("order.lines", True),
        ("orders[:3]", True),
        ("orders[?open]", True),
        ("orders[].lines[]", True),
        ("orders[0].lines", False),
        ("orders[].product", False),
        ("[user]", False),
        ("[user][]", False),
        ("to_array(user)", False),
    ],
)
def test_items_are_elements_of_the_list_at_their_path(text, elements):
    assert are_elements(Expression(Source(text, Place("t"))).ast) is elements


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
    assert both == Reads(paths("a.b c.e"), counts=paths("c.d"))
    assert both.roots == {"a", "c"}
    assert together([]) == Reads()
