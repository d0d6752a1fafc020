"""Names that an expression looks up in the scope itself, found and replaced in its syntax tree."""

from collections.abc import Callable
from typing import Any, Final

Ast = dict[str, Any]
# of a node of the analysed tree: the names of the values that it stands for
NAMED: Final = "named"
# Nodes whose parts have the current value of the node, and those of which only the first part has.
_SAME: Final = frozenset(
    {"multi_select_list", "multi_select_dict", "key_val_pair", "function_expression"}
).union({"or_expression", "and_expression", "not_expression", "comparator"})
_FIRST: Final = frozenset(
    {"subexpression", "index_expression", "projection", "value_projection", "flatten"}
).union({"filter_projection", "pipe"})


def names_at_root(ast: Ast) -> set[str]:
    """The names that an expression looks up in the scope itself, not within another value."""
    found: set[str] = set()
    with_names_replaced(ast, found.add)
    return found


def with_names_replaced(node: Ast, make: Callable[[str], Ast | None]) -> Ast:
    """A tree in which some names that are looked up in the scope have another node.

    Args:
        make: the node in place of a name; None to leave the name.
    """
    kind, children = node["type"], node["children"]
    if kind == "field":
        return make(node["value"]) or node
    if kind in _SAME:
        own = [with_names_replaced(child, make) for child in children]
    elif kind in _FIRST:
        whole = kind in {"subexpression", "pipe"} and children[0]["type"] in {"current", "identity"}
        own = [with_names_replaced(child, make) for child in (children if whole else children[:1])]
        own += children[len(own) :]
    else:
        return node
    return {**node, "children": own}
