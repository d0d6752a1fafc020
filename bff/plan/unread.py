"""Finds the calls of a plan whose value nothing reads.

An empty body is a failure of a call whose JSON or XML is used, and none of a call that only has to
succeed, such as most guards.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bff.plan.dependencies import together

if TYPE_CHECKING:  # the planner imports this module
    from bff.plan.order import Node
    from bff.plan.plan import Plan


def with_unread(plan: "Plan") -> "Plan":
    """The plan, with the calls marked whose value nothing reads.

    A value is read by the shape, by other calls, by a refusal, by a tag that is invalidated and,
    in a view in Python, by its function. What is attached (`into`) is read with its items.
    """
    if plan.view.function:
        return plan
    read = set(plan.shape.reads.roots) | _needed(plan.nodes.values())
    read |= {name for refusal in plan.refusals for name in refusal.needs}
    read |= together(tag.reads() for tag in plan.invalidates).roots
    nodes: Mapping[str, Node] = {
        name: node
        if name in read or node.compiled.call.into
        else replace(node, compiled=replace(node.compiled, unread=True))
        for name, node in plan.nodes.items()
    }
    return replace(plan, nodes=nodes)


def _needed(nodes: "Iterable[Node]") -> set[str]:
    return {name for node in nodes for name in node.needs}
