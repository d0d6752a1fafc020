"""The order of the calls of a view: the calls that each waits for, and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

from bff.errors import ConfigError
from bff.model.problem import Problem
from bff.model.view import View
from bff.plan.compile import CompiledCall
from bff.plan.dependencies import Path, Paths, Reads, are_elements
from bff.plan.refusals import CompiledRefusal

_MAY_FAIL = "it may fail the view"


@dataclass(frozen=True, slots=True)
class Node:
    """A call and what it waits for.

    Args:
        needs: calls whose values it uses, and where; it depends on their success.
        follows: calls that must have ended before it starts, whatever their outcome, and why.
        alias: its name where one call is started several times, by a view in Python.
    """

    compiled: CompiledCall
    needs: Mapping[str, str] = field(default_factory=dict)
    follows: Mapping[str, str] = field(default_factory=dict)
    alias: str = ""

    @property
    def name(self) -> str:
        """The name of its value and outcome."""
        return self.alias or self.compiled.name

    @property
    def waits_for(self) -> frozenset[str]:
        """The names of all calls that end before it starts."""
        return frozenset(self.needs) | frozenset(self.follows)


def in_order(
    view: View, compiled: Mapping[str, CompiledCall], refusals: Sequence[CompiledRefusal]
) -> dict[str, Node]:
    """The calls of a view by name, with what each waits for.

    It follows from the names that a call uses, from what it is declared after, and from the order
    in which calls are written where one of them is a write.

    Raises:
        ConfigError: calls wait for each other.
    """
    nodes = {}
    unsafe: str | None = None
    for call in view.calls:
        own = compiled[call.name]
        used = own.reads | replace(own.selects, result=frozenset())
        needs = {
            root: f"reads {_listed(paths)}"
            for root, paths in _by_root((used | own.selects).all).items()
            if root in compiled and root != call.name
        }
        follows = {source.text: "after" for source in call.after}
        for name, by_name in attached(used, compiled, skip=call.name).items():
            (needs if by_name else follows).setdefault(name, f"reads what `{name}` attaches")
        if unsafe:
            follows.setdefault(unsafe, f"written after the {compiled[unsafe].call.method}")
        if not call.safe:
            unsafe = call.name
            for name in frozenset().union(*(each.needs for each in refusals)) - {call.name}:
                follows.setdefault(name, "a refusal is judged before anything is written")
        nodes[call.name] = Node(own, needs, {k: v for k, v in follows.items() if k not in needs})
    _refuse_cycles(view, nodes)
    return nodes


def held_writes(nodes: Mapping[str, Node], named: Collection[str]) -> dict[str, Node]:
    """The calls of one frontend, each write waiting for what may still forbid it.

    That is every call written before it whose failure fails the view, but for those that wait for
    the write themselves, directly or through others: so this makes no circle.

    Args:
        nodes: the calls, in the order written.
        named: calls by whose outcome the view may fail though they are not required.
    """
    ordered = dict(nodes)
    if all(node.compiled.call.safe for node in nodes.values()):
        return ordered
    behind = {name: waited_for(nodes, name) for name in nodes}
    fatal: list[str] = []  # earlier calls that no write waits for yet
    for name, node in nodes.items():
        call = node.compiled.call
        if not call.safe:
            follows, reached = dict(node.follows), set(behind[name])
            for other in reversed(fatal):
                if other not in reached and name not in behind[other]:
                    follows[other] = _MAY_FAIL
                    reached |= {other} | behind[other]
            ordered[name] = replace(node, follows=follows)
            fatal = [other for other in fatal if name in behind[other]]
        if may_fail(node, named):
            fatal.append(name)
    return ordered


def may_fail(node: Node, named: Collection[str]) -> bool:
    """True if the view can fail because of the outcome of a call; see `held_writes`."""
    return node.compiled.call.rung == "required" or node.compiled.name in named


def waited_for(nodes: Mapping[str, Node], name: str) -> frozenset[str]:
    """The calls that end before one starts: those that it waits for, and those that these do."""
    found: set[str] = set()
    left = {name}
    while left:
        more = nodes[left.pop()].waits_for & nodes.keys()
        left |= more - found
        found |= more
    return frozenset(found)


def attached(found: Reads, compiled: Mapping[str, CompiledCall], skip: str = "") -> dict[str, bool]:
    """Calls that attach (`into`) something to what is read.

    Returns:
        Their names; true where a path names what is attached, false where it may hold it because
        the items are read whole.
    """
    by_call: dict[str, bool] = {}
    for name, call in compiled.items():
        into = call.call.into
        if into is None or name == skip:
            continue
        whole = found.whole if are_elements(call.each[-1][1].ast) else found.all
        for target in next(reversed(call.bound.values())):
            for path in found.all:
                if path[:1] == target[:1]:
                    by_name = into in path[1:]
                    if by_name or (path in whole and path == target[: len(path)]):
                        by_call[name] = by_call.get(name, False) or by_name
    return by_call


def _by_root(paths: Paths) -> dict[str, list[Path]]:
    """Paths by the names that they begin with, all in order."""
    found: dict[str, list[Path]] = {}
    for path in sorted(paths):
        found.setdefault(path[0], []).append(path)
    return found


def _refuse_cycles(view: View, nodes: Mapping[str, Node]) -> None:
    graph = {name: sorted(node.waits_for & nodes.keys()) for name, node in nodes.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        steps = [
            f"`{a}` waits for `{b}` ({nodes[a].needs.get(b) or nodes[a].follows[b]})"
            for a, b in pairwise(circle)
        ]
        place = nodes[circle[0]].compiled.call.place
        message = f"the calls of `{view.name}` wait for each other: {'; '.join(steps)}"
        raise ConfigError([Problem("cycle", place, message)]) from None


def _listed(paths: Sequence[Path]) -> str:
    *others, last = [f"`{'.'.join(path)}`" for path in paths]
    return f"{', '.join(others)} and {last}" if others else last
