"""Which calls of a plan bring a value that something reads.

A reply without a byte is no failure of a guard that only has to succeed; it is one of a call whose
JSON or XML an answer is made of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bff.plan.dependencies import together

if TYPE_CHECKING:  # the planner imports this module
    from bff.plan.order import Node
    from bff.plan.plan import Plan


def with_unread(plan: "Plan") -> "Plan":
    """The plan, with those of its calls marked whose values nothing reads.

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
